#include "dispatch/sampler.hpp"

#include <algorithm>
#include <cmath>

#include "tests/catch.hpp"
#include "tests/unit/dispatch/packets.hpp"

using namespace penstock;
using dispatch::sampler;
using std::chrono::microseconds;

namespace {

struct timed {
  std::int64_t pts_us;
  std::int64_t dts_us;
  std::int64_t duration_us;
};

/// The pts in ms of the wanted ones, sorted.
std::vector<std::int64_t> chosen(sampler s, const std::vector<timed>& frames) {
  std::vector<std::int64_t> wanted;
  for (const auto& f : frames) {
    core::packet p;
    p.pts = microseconds{f.pts_us};
    p.dts = microseconds{f.dts_us};
    p.duration = microseconds{f.duration_us};
    if (s.wanted(p)) wanted.push_back(std::llround(static_cast<double>(f.pts_us) / 1000.0));
  }
  std::sort(wanted.begin(), wanted.end());
  return wanted;
}

/// Frames at an even rate; `order` is the decode order within a group, as display positions.
std::vector<timed> even(double frames_per_s, int count, bool durations, std::vector<int> order = {0}) {
  std::vector<timed> frames;
  const auto group = static_cast<int>(order.size());
  for (int i = 0; i < count; ++i) {
    const int position = i / group * group + order[static_cast<std::size_t>(i % group)];
    frames.push_back({std::llround(position * 1e6 / frames_per_s), std::llround((i - 2) * 1e6 / frames_per_s),
                      durations ? std::llround(1e6 / frames_per_s) : 0});
  }
  return frames;
}

using times = std::vector<std::int64_t>;

} // namespace

TEST_CASE("no rate asks for every frame") {
  CHECK(chosen(sampler{}, even(30, 50, true)).size() == 50);
  CHECK(chosen(sampler{60}, even(30, 50, true)).size() == 50);
  CHECK(chosen(sampler{30}, even(30, 50, false)).size() == 50);
}

TEST_CASE("30 frames a second become 10, evenly") {
  CHECK(chosen(sampler{10}, even(30, 12, true)) == times{0, 100, 200, 300});
}

TEST_CASE("the choice is even whatever the decode order and whether durations are known") {
  const times every_second{0, 67, 133, 200, 267, 333, 400, 467, 533, 600, 667, 733};
  const std::vector<std::vector<int>> orders{{0}, {0, 3, 1, 2}, {0, 2, 1, 3}, {3, 1, 0, 2}};
  for (const auto& order : orders) {
    CHECK(chosen(sampler{15}, even(30, 24, true, order)) == every_second);
    CHECK(chosen(sampler{15, 30}, even(30, 24, false, order)) == every_second);
  }
  CHECK(chosen(sampler{15}, even(30, 24, false)) == every_second);
}

TEST_CASE("12.5 frames a second become 10: one in five is left out") {
  const auto wanted = chosen(sampler{10}, even(12.5, 125, true));
  CHECK(wanted.size() == 100);
  for (std::size_t i = 1; i < wanted.size(); ++i) CHECK(wanted[i] - wanted[i - 1] <= 160);
}

TEST_CASE("time stamps rounded to milliseconds do not disturb the choice") {
  std::vector<timed> frames;
  for (int i = 0; i < 300; ++i) {
    const auto ms = std::llround(i * 1000.0 / 30);
    frames.push_back({ms * 1000, ms * 1000, 33'000});
  }
  const auto wanted = chosen(sampler{10}, frames);
  CHECK(wanted.size() == 100);
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(wanted[i] == static_cast<std::int64_t>(i) * 100);
  for (auto& f : frames) f.duration_us = 0;
  CHECK(chosen(sampler{10}, frames) == wanted);
  CHECK(chosen(sampler{10, 30}, frames) == wanted);
}

TEST_CASE("an odd ratio gives the asked number on average") {
  for (double rate : {1.0, 7.0, 11.3, 24.0, 29.0}) {
    const auto wanted = chosen(sampler{rate}, even(29.97, 2997, true));
    CHECK(std::abs(static_cast<double>(wanted.size()) - rate * 100) <= 1);
  }
}

TEST_CASE("a frame that stays on display long is wanted once, and frames between instants are not") {
  CHECK(chosen(sampler{1}, {{0, 0, 300'000},
                            {300'000, 300'000, 2'100'000},
                            {2'400'000, 2'400'000, 100'000},
                            {2'500'000, 2'500'000, 1'000'000}}) == times{0, 300, 2500});
}

TEST_CASE("slow frames of which no duration is known are all wanted") {
  CHECK(chosen(sampler{10, 30}, even(5, 20, false)).size() == 20);
  CHECK(chosen(sampler{10}, even(5, 20, false)).size() == 20);
}

TEST_CASE("the first frame after a stall is wanted if the stall left instants over") {
  CHECK(
      chosen(sampler{2, 30}, {{0, 0, 0}, {33'000, 33'000, 0}, {1'700'000, 1'700'000, 0}, {1'733'000, 1'733'000, 0}}) ==
      times{0, 1700});
}

TEST_CASE("time stamps that jump back far begin anew") {
  auto frames = even(30, 300, true);
  const auto again = even(30, 300, true);
  frames.insert(frames.end(), again.begin(), again.end());
  CHECK(chosen(sampler{10}, frames).size() == 200);
}

TEST_CASE("time stamps below zero and far from zero are as good as any") {
  for (std::int64_t offset : {-10'000'000LL, 3'600'000'000'000LL}) {
    auto frames = even(30, 90, true);
    for (auto& f : frames) {
      f.pts_us += offset;
      f.dts_us += offset;
    }
    CHECK(chosen(sampler{10}, frames).size() == 30);
  }
}
