#include "dispatch/head.hpp"

#include "tests/catch.hpp"
#include "tests/unit/dispatch/packets.hpp"

using namespace penstock;
using namespace penstock::dispatch;
using core::drop_reason;
using core::random_access;
using test::all;

namespace {

constexpr core::stream_id stream{2};
constexpr core::worker_id worker{0};
constexpr core::time_point now{std::chrono::hours{1}};

/// A head with one worker that is as quick as its input.
struct desk {
  explicit desk(std::uint32_t epoch, std::optional<resume_point> resume = {}, double sample_frames_per_s = 0)
      : h{{{}, {}, epoch}} {
    stream_config config;
    config.codec = test::make_codec(1);
    config.sample_frames_per_s = sample_frames_per_s;
    config.resume = resume;
    h.add_stream(stream, config, now, out);
    h.worker_joined(worker, {4, 0}, now, out);
    h.worker_credit(worker, 4, now, out);
  }

  void push(const std::vector<core::packet_ptr>& packets) {
    for (const auto& packet : packets) {
      h.push(stream, packet, now, out);
      work();
    }
  }
  /// Results of all that was sent, and ends of all that was closed.
  void work() {
    while (true) {
      auto actions = std::exchange(out, {});
      seen.insert(seen.end(), actions.begin(), actions.end());
      if (actions.empty()) return;
      for (const auto& sent : all<send_packet>(actions)) {
        if (!sent.wanted) continue;
        core::frame_outcome outcome;
        outcome.id = {sent.segment, sent.ordinal};
        h.outcome(std::move(outcome), now, out);
      }
      for (const auto& closed : all<send_close>(actions)) {
        h.segment_done(worker, closed.segment, now, out);
        h.worker_credit(worker, 1, now, out);
      }
    }
  }
  void acknowledge(std::uint64_t frames) {
    h.acknowledged(stream, frames, 0, now, out);
    work();
  }
  void finish() {
    h.finish(stream, now, out);
    work();
  }
  /// Segment, ordinal and presentation number of all that was emitted from segment `from` on.
  [[nodiscard]] std::vector<std::tuple<std::uint64_t, std::uint32_t, std::uint64_t>> emitted(std::uint64_t from) const {
    std::vector<std::tuple<std::uint64_t, std::uint32_t, std::uint64_t>> found;
    for (const auto& e : all<emit>(seen))
      if (e.result.id.segment.number >= from)
        found.emplace_back(e.result.id.segment.number, e.result.id.ordinal, e.result.seq);
    return found;
  }
  [[nodiscard]] bool balanced() const {
    return h.collecting().ledger_of(stream).balanced(h.collecting().count_in_flight(stream));
  }

  head h;
  head::actions out;
  head::actions seen;
};

/// Four groups of four, every second one open with a leading picture, 40 ms a frame.
std::vector<core::packet_ptr> recording() {
  std::vector<core::packet_ptr> packets;
  for (std::int64_t gop = 0; gop < 4; ++gop) {
    const auto at = gop * 160;
    if (gop % 2 == 0) {
      packets.push_back(test::make_packet(at, random_access::closed));
      for (const auto pts : {40, 80, 120}) packets.push_back(test::make_packet(at + pts));
    } else {
      packets.push_back(test::make_packet(at + 40, random_access::open));
      for (const auto pts : {0, 80, 120}) packets.push_back(test::make_packet(at + pts));
    }
  }
  return packets;
}

bool same(const checkpoint& c, std::uint64_t segment, std::uint64_t seq, std::uint64_t packets) {
  return c.stream == stream && c.segment == segment && c.seq == seq && c.packets == packets;
}

} // namespace

TEST_CASE("a checkpoint says where the first segment begins that is not done with the sinks") {
  desk d{1};
  d.push(recording());
  CHECK(all<checkpoint>(d.seen).empty());
  d.acknowledge(4);
  CHECK(all<checkpoint>(d.seen).empty()); // the leading picture behind segment 1's keyframe is segment 0's
  d.acknowledge(1);
  REQUIRE(all<checkpoint>(d.seen).size() == 1);
  CHECK(same(all<checkpoint>(d.seen)[0], 1, 5, 4));
  d.acknowledge(8);
  REQUIRE(all<checkpoint>(d.seen).size() == 2); // of two segments that are done at once the last
  CHECK(same(all<checkpoint>(d.seen)[1], 3, 13, 12));
}

TEST_CASE("there is no checkpoint behind what a stop cut short or dropped") {
  auto packets = recording();
  packets.resize(5); // the next one would have been segment 0's
  SECTION("cut short") {
    desk d{1};
    d.push(packets);
    d.finish();
    d.acknowledge(5);
    CHECK(all<stream_finished>(d.seen).size() == 1);
    CHECK(all<checkpoint>(d.seen).empty());
  }
  SECTION("dropped before they had a result") {
    desk d{1};
    for (const auto& packet : recording()) d.h.push(stream, packet, now, d.out);
    d.h.shutdown(now, now, d.out);
    CHECK(d.h.collecting().ledger_of(stream).dropped_for(drop_reason::shutdown) == 16);
    CHECK(all<checkpoint>(d.out).empty());
  }
  SECTION("dropped by sinks that were not waited for") {
    desk d{1};
    d.push(recording());
    d.h.acknowledged(stream, 3, 13, now, d.out, drop_reason::shutdown);
    CHECK(all<checkpoint>(d.out).empty());
  }
}

TEST_CASE("a resumed stream has the segments, ordinals, numbers and choices of one without interruption") {
  for (const auto sample : {0.0, 10.0}) {
    desk whole{1, {}, sample};
    whole.push(recording());
    whole.finish();
    for (const auto from : {resume_point{1, 5, 4, 0}, resume_point{2, 8, 8, 0}, resume_point{3, 13, 12, 0}}) {
      desk d{2, from, sample};
      d.push(recording());
      d.finish();
      CHECK(d.emitted(0) == whole.emitted(from.segment));
      CHECK(d.h.collecting().ledger_of(stream).received == 16 - from.seq);
      CHECK(d.balanced());
      CHECK(all<source_changed>(d.seen).empty());
    }
  }
}

TEST_CASE("frames that the sinks have already count as delivered and do not come again") {
  desk d{2, resume_point{1, 5, 4, 9}};
  d.push(recording());
  d.finish();
  CHECK(d.balanced());
  CHECK(d.h.collecting().ledger_of(stream).delivered == 4);
  CHECK(all<emit>(d.seen).front().result.seq == 9);
  d.acknowledge(7);
  CHECK(d.h.collecting().ledger_of(stream).delivered == 11);
  CHECK(all<stream_finished>(d.seen).size() == 1);
}

TEST_CASE("what is passed over costs a source none of its grants") {
  desk d{2, resume_point{2000, 8000, 8000, 0}};
  std::int64_t granted = 0;
  for (std::int64_t i = 0; i < 8004; ++i) {
    d.push({test::make_packet(i * 40, i % 4 == 0 ? random_access::closed : random_access::none)});
    granted = -i - 1;
    for (const auto& g : all<grant>(d.seen)) granted += g.packets;
    REQUIRE(granted > 0);
  }
  CHECK(d.emitted(0).size() == 4);
  CHECK(d.h.dispatching().load_of(stream).outstanding == 0);
}

TEST_CASE("a source that is not the one that was read before is told of") {
  const auto run = [](const resume_point& from) {
    desk d{2, from};
    d.push(recording());
    d.finish();
    CHECK(d.balanced());
    return all<source_changed>(d.seen).size();
  };
  CHECK(run({2, 8, 7, 0}) == 1);
  CHECK(run({9, 40, 40, 0}) == 1); // it ends before
  CHECK(run({0, 0, 0, 3}) == 0);   // nothing is known of it but what the sinks have
}

TEST_CASE("what workers say of other lives, streams, segments and frames changes nothing and is counted") {
  desk d{7};
  d.h.push(stream, recording()[0], now, d.out);
  REQUIRE(all<send_packet>(d.out).size() == 1);
  d.out.clear();
  const auto books = d.h.collecting().ledger_of(stream);
  const auto outcome = [&](core::result_id id) {
    d.h.outcome(core::dropped_outcome(id, drop_reason::corrupt), now, d.out);
  };

  d.h.segment_done(worker, {stream, 6, 0}, now, d.out);
  d.h.segment_failed(worker, {stream, 8, 0}, {}, now, d.out);
  CHECK(d.h.dispatching().ignored().stale == 2);
  d.h.segment_done(worker, {{UINT32_MAX}, 7, 0}, now, d.out);
  d.h.segment_done(worker, {stream, 7, UINT64_MAX}, now, d.out);
  d.h.segment_failed({UINT32_MAX}, {stream, 7, 0}, {}, now, d.out);
  d.h.segment_failed({5}, {stream, 7, 0}, {}, now, d.out);
  CHECK(d.h.dispatching().ignored().not_held == 4);

  outcome({{stream, 6, 0}, 0});
  CHECK(d.h.collecting().ignored().stale == 1);
  outcome({{{UINT32_MAX}, 7, 0}, 0});
  outcome({{stream, 7, UINT64_MAX}, UINT32_MAX});
  CHECK(d.h.collecting().ignored().unknown == 2);
  outcome({{stream, 7, 0}, UINT32_MAX});
  outcome({{stream, 7, 0}, 1});
  CHECK(d.h.dispatching().ignored().not_sent == 2);

  CHECK(d.out.empty());
  CHECK(d.h.collecting().ledger_of(stream) == books);
}

TEST_CASE("a frame that was never sent has no outcome") {
  desk d{1};
  d.h.worker_lost(worker, now, d.out);
  d.h.push(stream, recording()[0], now, d.out);
  d.h.outcome(core::dropped_outcome({{stream, 1, 0}, 0}, drop_reason::corrupt), now, d.out);
  CHECK(d.h.dispatching().ignored().not_sent == 1);
  CHECK(d.h.collecting().ledger_of(stream).in_flight() == 1);
}

TEST_CASE("a worker is not taken at its word for more credit than its capacity") {
  desk d{1};
  d.h.worker_credit(worker, UINT32_MAX, now, d.out);
  d.h.worker_credit(worker, 1, now, d.out);
  CHECK(d.h.dispatching().load_of(worker).credit == 4);
  CHECK(d.h.dispatching().ignored().excess_credit == std::uint64_t{UINT32_MAX} + 1);
}

TEST_CASE("a finished stream is forgotten, at once or when the last of its leases ends") {
  desk d{1};
  const auto lease_of = [&] { return d.h.dispatching().load_of(worker).bulk; };
  const auto run = [&](bool done_first) {
    d.push({recording()[0]}); // its result is there, its end is not
    d.h.finish(stream, now, d.out);
    const auto closed = all<send_close>(d.out);
    d.out.clear();
    REQUIRE(closed.size() == 1);
    d.h.acknowledged(stream, 1, 0, now, d.out);
    if (done_first) d.h.segment_done(worker, closed[0].segment, now, d.out);
    d.h.remove_stream(stream);
    CHECK(d.h.count_streams() == 0);
    CHECK(d.h.collecting().count_streams() == 0);
    CHECK(d.h.dispatching().count_streams() == (done_first ? 0 : 1));
    CHECK(lease_of() == (done_first ? 0 : 1));
    return closed[0].segment;
  };
  SECTION("at once") { run(true); }
  SECTION("when its worker says that it is done") { d.h.segment_done(worker, run(false), now, d.out); }
  SECTION("when its worker is lost") {
    run(false);
    d.h.worker_lost(worker, now, d.out);
    d.h.tick(now, d.out);
  }
  CHECK(lease_of() == 0);
  CHECK(d.h.dispatching().count_streams() == 0);
  CHECK(all<dispatch::revoke>(d.out).empty());
}
