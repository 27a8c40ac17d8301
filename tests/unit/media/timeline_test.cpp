#include "media/timeline.hpp"

#include <random>

#include "media/backoff.hpp"
#include "media/file_list.hpp"
#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace std::chrono_literals;

namespace {

raw_times at(core::media_time pts, core::media_time dts) { return {pts, dts, 40ms}; }

} // namespace

TEST_CASE("a timeline starts at its origin, whatever the container counts from") {
  timeline times{2s, 1000s};
  CHECK(times.fix(at(1000s, 1000s - 80ms)).pts == 2s);
  CHECK(times.fix(at(1000s + 80ms, 1000s - 40ms)).dts == 2s - 40ms);
  CHECK(times.end() == 2s + 120ms);
  timeline wrong{0s, 1000s}; // the announced start is not where the packets are
  CHECK(wrong.fix(at(5s, 5s)).pts == 0s);
}

TEST_CASE("missing times are filled in, and equal ones are told apart") {
  timeline times{0s, std::nullopt};
  const auto first = times.fix({std::nullopt, std::nullopt, 40ms});
  CHECK(first.pts == 0s);
  CHECK(times.fix({std::nullopt, std::nullopt, 0ms}).pts == 40ms);
  CHECK(times.fix({std::nullopt, 80ms, 0ms}).pts == 80ms);
  CHECK(times.fix({80ms, 80ms, 0ms}).pts == 80ms + 1us);
  CHECK(times.fix({80ms, 80ms, 0ms}).pts == 80ms + 2us);
}

TEST_CASE("decode time never decreases, and a clock that jumps back goes on") {
  timeline times{0s, 0s};
  CHECK(times.fix(at(10s, 10s)).dts == 10s);
  CHECK(times.fix(at(10s + 20ms, 10s - 20ms)).dts == 10s);
  CHECK(times.fix(at(1s, 1s)).pts == 10s + 40ms);
  CHECK(times.fix(at(1s + 40ms, 1s + 40ms)).pts == 10s + 80ms);
  CHECK(times.fix(at(60s, 60s)).pts == 69s + 40ms); // a gap stays a gap
}

TEST_CASE("waits between attempts grow to the longest, with jitter, and start again after success") {
  std::mt19937_64 rng{1};
  backoff waits{{.first = 100ms, .longest = 1000ms, .factor = 2, .jitter = 0.5}};
  std::chrono::milliseconds full{100};
  for (int i = 0; i < 10; ++i, full = std::min(2 * full, std::chrono::milliseconds{1000})) {
    const auto wait = waits.next(rng);
    CHECK(wait <= full);
    CHECK(wait >= full / 2);
  }
  CHECK(waits.attempts() == 10);
  waits.reset();
  CHECK(waits.next(rng) <= 100ms);
}

TEST_CASE("names are ordered as people order them") {
  CHECK(natural_less("shot2.png", "shot10.png"));
  CHECK_FALSE(natural_less("shot10.png", "shot2.png"));
  CHECK(natural_less("a", "b"));
  CHECK(natural_less("shot", "shot1"));
  CHECK(natural_less("shot1a2", "shot1a10"));
  CHECK_FALSE(natural_less("same1", "same1"));
  CHECK(natural_less("x01", "x1") != natural_less("x1", "x01"));
  CHECK(codec_of_name("a/b.c/PHOTO.JPeG") == "mjpeg");
  CHECK(codec_of_name("jpg").empty());
}
