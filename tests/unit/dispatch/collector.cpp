#include "dispatch/collector.hpp"

#include "tests/catch.hpp"
#include "tests/unit/dispatch/packets.hpp"

using namespace penstock;
using namespace penstock::dispatch;
using core::drop_reason;

namespace {

constexpr core::stream_id stream{3};
constexpr std::uint32_t epoch = 7;

struct feed {
  explicit feed(stream_policy policy = stream_policy::lossless, collector_config config = {}) : c{config, epoch} {
    c.add_stream(stream, policy);
  }

  static core::result_id id(std::uint64_t segment, std::uint32_t ordinal) {
    return {{stream, epoch, segment}, ordinal};
  }
  void expect(std::uint64_t segment, std::uint32_t ordinal, std::int64_t pts_ms,
              std::optional<drop_reason> dropped = {}) {
    c.frame_expected(id(segment, ordinal), *test::make_packet(pts_ms), dropped, out);
  }
  void outcome(core::result_id of, std::optional<drop_reason> dropped = {}) {
    core::frame_outcome o;
    o.id = of;
    o.dropped = dropped;
    c.outcome(std::move(o), out);
  }
  /// Presentation times in ms of what was emitted since the last call; checks the law on the way.
  std::vector<std::int64_t> emitted() {
    CHECK(c.ledger_of(stream).balanced(c.count_in_flight(stream)));
    std::vector<std::int64_t> times;
    for (const auto& e : test::all<emit>(out)) times.push_back(e.result.pts.count() / 1000);
    seen.insert(seen.end(), out.begin(), out.end());
    out.clear();
    return times;
  }

  collector c;
  collector::actions out;
  collector::actions seen;
};

using times = std::vector<std::int64_t>;

} // namespace

TEST_CASE("results leave in presentation order whatever the order of outcomes") {
  feed f;
  f.c.segment_opened(stream, 0);
  f.expect(0, 0, 0);
  f.expect(0, 1, 80);
  f.expect(0, 2, 40);
  f.outcome(f.id(0, 1));
  CHECK(f.emitted().empty());
  f.outcome(f.id(0, 2));
  CHECK(f.emitted().empty());
  f.outcome(f.id(0, 0));
  CHECK(f.emitted() == times{0, 40, 80});
}

TEST_CASE("a decoded frame of an open segment leaves at once") {
  feed f;
  f.c.segment_opened(stream, 0);
  f.expect(0, 0, 0);
  f.outcome(f.id(0, 0));
  CHECK(f.emitted() == times{0});
}

TEST_CASE("a dropped frame proves nothing: an earlier one may still be announced") {
  feed f;
  f.c.segment_opened(stream, 0);
  f.expect(0, 0, 0);
  f.outcome(f.id(0, 0));
  f.expect(0, 1, 80, drop_reason::sampled);
  f.expect(0, 2, 40);
  f.outcome(f.id(0, 2));
  f.expect(0, 3, 120);
  f.outcome(f.id(0, 3));
  CHECK(f.emitted() == times{0, 40, 120});
  const auto results = test::all<emit>(f.seen);
  CHECK(results[1].result.seq == 1);
  CHECK(results[2].result.seq == 3);
}

TEST_CASE("frames nobody wants leave an open segment behind enough later ones") {
  feed f;
  f.c.segment_opened(stream, 0);
  for (std::uint32_t i = 0; i < 40; ++i) f.expect(0, i, i * 40, drop_reason::sampled);
  std::uint32_t settled = 0;
  for (const auto& a : test::all<frames_settled>(f.out)) settled += a.count;
  CHECK(settled == 40 - 17);
}

TEST_CASE("a later segment waits until the one before is closed") {
  feed f;
  f.c.segment_opened(stream, 0);
  f.expect(0, 0, 0);
  f.c.segment_opened(stream, 1);
  f.expect(1, 0, 120);
  f.outcome(f.id(1, 0));
  f.outcome(f.id(0, 0));
  CHECK(f.emitted() == times{0});
  f.expect(0, 2, 40); // a leading picture; ordinal 1 is the keyframe's copy
  f.outcome(f.id(0, 2));
  CHECK(f.emitted() == times{40});
  f.c.segment_closed(stream, 0, f.out);
  CHECK(f.emitted() == times{120});
}

TEST_CASE("repeated, stale and unknown outcomes are counted and change nothing") {
  feed f;
  f.c.segment_opened(stream, 0);
  f.expect(0, 0, 0);
  f.expect(0, 2, 40);
  f.outcome(f.id(0, 0));
  f.outcome(f.id(0, 0));
  f.outcome(f.id(0, 9));
  f.outcome(f.id(5, 0));
  f.outcome({{stream, epoch - 1, 0}, 2});
  f.outcome({{core::stream_id{99}, epoch, 0}, 2});
  CHECK(f.emitted() == times{0});
  f.outcome(f.id(0, 2));
  f.c.segment_closed(stream, 0, f.out);
  f.outcome(f.id(0, 2));
  CHECK(f.emitted() == times{40});
  CHECK(f.c.ignored().duplicate == 2);
  CHECK(f.c.ignored().stale == 1);
  CHECK(f.c.ignored().unknown == 3);
}

TEST_CASE("frames outside of segments are counted and numbered where they stand") {
  feed f;
  f.c.frame_refused(stream, 0, drop_reason::no_keyframe, f.out);
  f.c.frame_refused(stream, 0, drop_reason::no_keyframe, f.out);
  f.c.segment_opened(stream, 0);
  f.expect(0, 0, 80);
  f.c.frame_refused(stream, 0, drop_reason::no_keyframe, f.out); // a leading picture
  f.outcome(f.id(0, 0));
  f.c.segment_closed(stream, 0, f.out);
  CHECK(f.emitted() == times{80});
  CHECK(test::all<emit>(f.seen)[0].result.seq == 3);
  CHECK(f.c.ledger_of(stream).dropped_for(drop_reason::no_keyframe) == 3);
  CHECK(f.c.ledger_of(stream).received == 4);
}

TEST_CASE("a lossless stream waits for its sinks") {
  feed f{stream_policy::lossless, {2, 1}};
  f.c.segment_opened(stream, 0);
  for (std::uint32_t i = 0; i < 5; ++i) f.expect(0, i, i * 40);
  for (std::uint32_t i = 0; i < 5; ++i) f.outcome(f.id(0, i));
  CHECK(f.emitted() == times{0, 40});
  f.c.acknowledged(stream, 1, 0, f.out);
  CHECK(f.emitted() == times{80});
  f.c.acknowledged(stream, 1, 1, f.out);
  CHECK(f.emitted() == times{120, 160});
  CHECK(f.c.ledger_of(stream).delivered == 2);
  CHECK(f.c.ledger_of(stream).dropped_for(drop_reason::sink_error) == 1);
}

TEST_CASE("a live stream drops the oldest results that wait for a slow sink") {
  feed f{stream_policy::live, {1, 2}};
  f.c.segment_opened(stream, 0);
  for (std::uint32_t i = 0; i < 6; ++i) f.expect(0, i, i * 40);
  for (std::uint32_t i = 0; i < 6; ++i) f.outcome(f.id(0, i));
  CHECK(f.emitted() == times{0});
  CHECK(f.c.ledger_of(stream).dropped_for(drop_reason::slow_sink) == 3);
  f.c.acknowledged(stream, 1, 0, f.out);
  CHECK(f.emitted() == times{160});
  f.c.acknowledged(stream, 1, 0, f.out);
  CHECK(f.emitted() == times{200});
}

TEST_CASE("the dispatcher's drop stands against a late outcome, and the other way round") {
  feed f;
  f.c.segment_opened(stream, 0);
  f.expect(0, 0, 0);
  f.expect(0, 1, 40);
  f.c.drop(f.id(0, 0), drop_reason::shed, f.out);
  f.outcome(f.id(0, 0));
  f.outcome(f.id(0, 1));
  f.c.drop(f.id(0, 1), drop_reason::shed, f.out);
  CHECK(f.emitted() == times{40});
  CHECK(f.c.ledger_of(stream).dropped_total() == 1);
  CHECK(test::all<dispatch::frame_resolved>(f.seen).size() == 1);
}

TEST_CASE("a stream finishes once, when the last frame is acknowledged") {
  feed f;
  f.c.segment_opened(stream, 0);
  f.expect(0, 0, 0);
  f.c.stream_ended(stream, f.out);
  f.c.segment_closed(stream, 0, f.out);
  f.outcome(f.id(0, 0));
  f.emitted();
  CHECK(test::all<stream_finished>(f.seen).empty());
  f.c.acknowledged(stream, 1, 0, f.out);
  f.c.acknowledged(stream, 0, 0, f.out);
  f.emitted();
  CHECK(test::all<stream_finished>(f.seen).size() == 1);
}
