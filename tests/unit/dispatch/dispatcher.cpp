#include "dispatch/dispatcher.hpp"

#include <map>

#include "tests/catch.hpp"
#include "tests/unit/dispatch/desk.hpp"

using namespace penstock;
using namespace penstock::dispatch;
using namespace std::chrono_literals;
using core::drop_reason;
using core::worker_id;
using test::all;
using test::desk;
using test::leases;

namespace {

stream_limits lossless() { return {}; }

stream_limits live() {
  stream_limits limits;
  limits.policy = stream_policy::live;
  return limits;
}

} // namespace

TEST_CASE("packets of a leased segment go out as they come, and its end too") {
  desk t;
  t.add(0, lossless());
  t.join(0, 1);
  t.open(0, 0);
  t.push(0, 0);
  CHECK(t.opened() == leases{{0, t.segment(0, 0)}});
  t.push(0, 0);
  CHECK(all<send_packet>(t.out).size() == 1);
  t.close(0, 0);
  CHECK(all<send_close>(t.out).size() == 1);
}

TEST_CASE("a segment of which nothing is wanted is never sent") {
  desk t;
  t.add(0, lossless());
  t.join(0, 1);
  t.open(0, 0);
  t.push(0, 0, 3, false);
  t.close(0, 0);
  CHECK(t.opened().empty());
  CHECK(t.d.idle());
}

TEST_CASE("credit is never exceeded, and the worker with the least relative backlog is next") {
  desk t;
  t.add(0, lossless());
  t.join(0, 4, {4, 0});
  t.join(1, 2, {2, 0});
  for (std::uint64_t n = 0; n < 8; ++n) t.whole(0, n);
  std::map<std::uint32_t, int> count;
  const auto given = t.opened();
  for (const auto& [worker, _] : given) ++count[worker];
  CHECK(count[0] == 4);
  CHECK(count[1] == 2);
  CHECK(given[1].first == 1);
  t.d.worker_credit({1}, 1, t.now, t.out);
  CHECK(t.opened() == leases{{1, t.segment(0, 6)}});
}

TEST_CASE("streams take turns, and within a stream the oldest segment is first") {
  desk t;
  t.add(0, lossless());
  t.add(1, lossless());
  for (std::uint64_t n = 0; n < 3; ++n) t.whole(0, n);
  t.whole(1, 0);
  t.join(0, 4);
  CHECK(t.opened() == leases{{0, t.segment(0, 0)}, {0, t.segment(1, 0)}, {0, t.segment(0, 1)}, {0, t.segment(0, 2)}});
}

TEST_CASE("what a lost worker held goes to another, with resolved frames only to be decoded") {
  desk t;
  t.add(0, lossless());
  t.join(0, 2);
  t.whole(0, 0, 3);
  t.join(1, 2);
  t.resolve(t.segment(0, 0), 0, 2);
  t.out.clear();
  t.d.worker_lost({0}, t.now, t.out);
  const auto packets = all<send_packet>(t.out);
  REQUIRE(packets.size() == 3);
  CHECK_FALSE(packets[0].wanted);
  CHECK_FALSE(packets[1].wanted);
  CHECK(packets[2].wanted);
  CHECK(all<send_close>(t.out).size() == 1);
  CHECK(t.opened() == leases{{1, t.segment(0, 0)}});
  t.resolve(t.segment(0, 0), 2, 3);
  t.d.segment_done({1}, t.segment(0, 0), t.now, t.out);
  CHECK(t.d.idle());
}

TEST_CASE("packets are freed as soon as their segment has ended and all results are there") {
  desk t;
  t.add(0, lossless());
  t.join(0, 1);
  t.open(0, 0);
  auto packet = test::make_packet(0);
  const std::weak_ptr<core::packet> kept = packet;
  t.d.packet({t.segment(0, 0), 0}, packet, true, true, t.now, t.out);
  packet.reset();
  t.resolve(t.segment(0, 0), 0, 1);
  t.out.clear();
  CHECK_FALSE(kept.expired());
  t.close(0, 0);
  CHECK(kept.expired());
}

TEST_CASE("a silent worker gets nothing new and is out after the lease timeout") {
  dispatcher_config config;
  config.lease_timeout = 10s;
  desk t{config};
  t.add(0, lossless());
  t.join(0, 2);
  t.whole(0, 0);
  t.wait(6s);
  t.out.clear();
  t.whole(0, 1);
  CHECK(t.opened().empty());
  t.wait(5s);
  CHECK(all<worker_expired>(t.out).size() == 1);
  t.out.clear();
  t.join(1, 2);
  CHECK(t.opened() == leases{{1, t.segment(0, 0)}, {1, t.segment(0, 1)}});
}

TEST_CASE("an end with wanted frames left is a failure, and the third in a row quarantines the segment") {
  desk t;
  t.add(0, lossless());
  t.join(0, 9);
  t.whole(0, 0, 2);
  t.whole(0, 1, 2);
  t.resolve(t.segment(0, 0), 0, 1);
  t.d.segment_done({0}, t.segment(0, 0), t.now, t.out);
  t.d.segment_failed({0}, t.segment(0, 0), {core::errc::corrupt, "no"}, t.now, t.out);
  CHECK(all<quarantine>(t.out).empty());
  t.d.segment_failed({0}, t.segment(0, 0), {core::errc::corrupt, "no"}, t.now, t.out);
  REQUIRE(all<quarantine>(t.out).size() == 1);
  CHECK(all<quarantine>(t.out)[0].packets.size() == 2);
  CHECK(t.drops() == std::map<drop_reason, int>{{drop_reason::poison, 1}});
  t.resolve(t.segment(0, 1), 0, 2);
  t.d.segment_done({0}, t.segment(0, 1), t.now, t.out);
  CHECK(t.d.idle());
}

TEST_CASE("a failed segment goes to another worker when there is one") {
  desk t;
  t.add(0, lossless());
  t.join(0, 9);
  t.whole(0, 0);
  t.join(1, 0);
  t.out.clear();
  t.d.segment_failed({0}, t.segment(0, 0), {core::errc::engine, "no"}, t.now, t.out);
  CHECK(t.opened().empty());
  t.d.worker_credit({1}, 1, t.now, t.out);
  CHECK(t.opened() == leases{{1, t.segment(0, 0)}});
}

TEST_CASE("a segment that kills its workers is left alone with one, then quarantined; its neighbours are not") {
  desk t;
  t.add(0, lossless());
  t.whole(0, 0);
  t.whole(0, 1);
  for (std::uint32_t w = 0; w < 2; ++w) { // both die with both
    t.join(w, 2);
    t.d.worker_lost({w}, t.now, t.out);
  }
  t.out.clear();
  for (std::uint32_t w = 2; w < 4; ++w) {
    t.join(w, 2);
    CHECK(t.opened() == leases{{w, t.segment(0, 0)}});
    t.d.worker_lost({w}, t.now, t.out);
  }
  REQUIRE(all<quarantine>(t.out).size() == 1);
  CHECK(all<quarantine>(t.out)[0].segment == t.segment(0, 0));
  t.out.clear();
  t.join(4, 2);
  CHECK(t.opened() == leases{{4, t.segment(0, 1)}});
  t.resolve(t.segment(0, 1), 0, 2);
  t.d.segment_done({4}, t.segment(0, 1), t.now, t.out);
  CHECK(t.d.idle());
}

TEST_CASE("workers that were lost and return did not die of what they held, but may have lost their link by it") {
  desk t;
  t.add(0, lossless());
  t.whole(0, 0);
  t.whole(0, 1);
  std::uint32_t w = 0;
  const auto come_and_go = [&] {
    t.out.clear();
    t.join(w, 2);
    t.d.worker_lost({w}, t.now, t.out);
    t.d.worker_returned({w});
    t.d.worker_returned({w++}); // it returns once
  };
  for (int i = 0; i < 4; ++i) { // twice would be enough if they had died
    come_and_go();
    CHECK(t.opened() == leases{{w - 1, t.segment(0, 0)}, {w - 1, t.segment(0, 1)}});
  }
  t.join(w, 2);
  t.resolve(t.segment(0, 0), 0, 1); // a result clears it
  t.d.worker_lost({w++}, t.now, t.out);
  CHECK(t.d.failed_leases() == 10);
  int lonely = 0;
  for (; all<quarantine>(t.out).empty() && lonely < 20; ++lonely) come_and_go();
  CHECK(lonely > 4);
  CHECK(lonely < 20); // it comes to an end
  t.d.worker_returned({99});
}

TEST_CASE("a stalled segment is taken from a worker that is alive") {
  dispatcher_config config;
  config.stall_timeout = 60s;
  desk t{config};
  t.add(0, lossless());
  t.join(0, 1);
  t.whole(0, 0);
  for (int i = 0; i < 61; ++i) {
    t.d.worker_heartbeat({0}, t.now);
    t.wait(1s);
  }
  CHECK(all<dispatch::revoke>(t.out).size() == 1);
}

TEST_CASE("a draining worker gets nothing new and finishes what it has") {
  desk t;
  t.add(0, lossless());
  t.join(0, 4);
  t.whole(0, 0);
  t.d.worker_draining({0}, t.now, t.out);
  t.out.clear();
  t.whole(0, 1);
  CHECK(t.opened().empty());
  t.resolve(t.segment(0, 0), 0, 2);
  t.d.segment_done({0}, t.segment(0, 0), t.now, t.out);
  CHECK(t.d.load_of(worker_id{0}).bulk == 0);
}

TEST_CASE("a lossless source gets no more grants than may be read ahead, and more as frames settle") {
  desk t;
  auto limits = lossless();
  limits.read_ahead = 100;
  t.add(0, limits);
  t.open(0, 0);
  std::int64_t granted = 0;
  std::int64_t pushed = 0;
  const auto pump = [&] {
    for (;;) {
      for (const auto& g : all<grant>(t.out)) granted += g.packets;
      t.out.clear();
      if (pushed == granted) return;
      t.push(0, 0);
      ++pushed;
    }
  };
  pump();
  CHECK(granted == 100);
  t.d.frames_settled({0}, 40, t.out);
  pump();
  CHECK(granted == 140);
}

TEST_CASE("large packets narrow the grants down to what any decoder needs") {
  desk t;
  auto limits = lossless();
  limits.read_ahead_bytes = 1U << 20U;
  t.add(0, limits);
  t.open(0, 0);
  std::int64_t granted = 0;
  for (int i = 0; i < 500; ++i) {
    for (const auto& g : all<grant>(t.out)) granted += g.packets;
    t.out.clear();
    if (i == granted) break;
    t.push(0, 0, 1, true, 1U << 19U);
  }
  CHECK(granted == static_cast<std::int64_t>(min_read_ahead));
}

TEST_CASE("an endless group of pictures lets its processed beginning go, and is poison if its worker dies then") {
  dispatcher_config config;
  config.segment_retain_bytes = 10'000;
  desk t{config};
  t.add(0, lossless());
  t.join(0, 1);
  t.open(0, 0);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    t.push(0, 0);
    if (i > 3) t.resolve(t.segment(0, 0), i - 4, i - 3);
    CHECK(t.d.load_of(core::stream_id{0}).retained_bytes <= 10'100);
  }
  t.out.clear();
  t.d.worker_lost({0}, t.now, t.out);
  t.push(0, 0);
  CHECK(t.drops() == std::map<drop_reason, int>{{drop_reason::poison, 5}});
}

TEST_CASE("a live stream's frames beyond its queue are decoded and not inferred") {
  desk t;
  auto limits = live();
  limits.queue = 3;
  t.add(0, limits);
  t.join(0, 0);
  t.open(0, 0);
  t.push(0, 0, 5);
  CHECK(all<send_packet>(t.out).size() == 5);
  CHECK(t.drops() == std::map<drop_reason, int>{{drop_reason::shed, 2}});
}

TEST_CASE("a live stream beyond its lag drops everything up to the next keyframe") {
  desk t;
  t.add(0, live());
  t.join(0, 0);
  t.open(0, 0);
  t.push(0, 0);
  t.now += 600ms;
  t.push(0, 0);
  CHECK(all<send_packet>(t.out).size() == 2);
  CHECK(t.drops() == std::map<drop_reason, int>{{drop_reason::shed, 1}});
  t.now += 600ms;
  t.push(0, 0);
  CHECK(all<send_packet>(t.out).size() == 2);
  CHECK(all<send_close>(t.out).size() == 1);
  CHECK(t.drops() == std::map<drop_reason, int>{{drop_reason::shed, 2}});
  t.resolve(t.segment(0, 0), 0, 1);
  t.close(0, 0);
  t.out.clear();
  t.open(0, 1);
  t.push(0, 1);
  CHECK(t.opened() == leases{{0, t.segment(0, 1)}});
}

TEST_CASE("a live stream without a worker keeps no more than its lag") {
  desk t;
  t.add(0, live());
  for (std::uint64_t n = 0; n < 20; ++n) {
    t.open(0, n);
    for (int i = 0; i < 10; ++i) {
      t.push(0, n);
      t.wait(40ms);
    }
    t.close(0, n);
    CHECK(t.d.load_of(core::stream_id{0}).retained_bytes <= 45 * 100);
  }
  CHECK(t.drops().at(drop_reason::shed) >= 150);
}

TEST_CASE("a live stream stays with its worker, and moves at a segment when that lags") {
  desk t;
  t.add(0, live());
  t.join(0, 0, {0, 1});
  t.join(1, 0, {0, 1});
  t.open(0, 0);
  t.push(0, 0);
  t.resolve(t.segment(0, 0), 0, 1);
  t.close(0, 0);
  t.open(0, 1);
  t.push(0, 1);
  t.close(0, 1);
  t.now += 501ms;
  t.d.frame_resolved({t.segment(0, 9), 0}, t.now, t.out); // of a segment that is not there
  t.open(0, 2);
  t.d.packet({t.segment(0, 2), 0}, test::make_packet(0), true, true, t.now, t.out);
  CHECK(t.opened().size() == 2); // the frame came behind half the lag: shed, so nothing of segment 2 is wanted
  t.resolve(t.segment(0, 1), 0, 1);
  t.d.packet({t.segment(0, 2), 1}, test::make_packet(0), true, true, t.now, t.out);
  CHECK(t.opened() == leases{{0, t.segment(0, 2)}});
}

TEST_CASE("a live stream's next segment is stolen by a worker with room when its own is late") {
  desk t;
  auto limits = live();
  limits.steal_after = 200ms;
  t.add(0, limits);
  t.join(0, 0, {0, 1});
  t.open(0, 0);
  t.push(0, 0);
  t.close(0, 0);
  t.join(1, 0, {0, 1});
  t.now += 201ms;
  t.out.clear();
  t.open(0, 1);
  t.push(0, 1);
  CHECK(t.opened() == leases{{1, t.segment(0, 1)}});
  CHECK(t.d.load_of(worker_id{0}).live == 0);
  CHECK(t.d.load_of(worker_id{1}).live == 1);
}

TEST_CASE("a worker takes no more live streams than it has room for") {
  desk t;
  t.join(0, 0, {0, 2});
  for (std::uint32_t s = 0; s < 3; ++s) {
    t.add(s, live());
    t.open(s, 0);
    t.push(s, 0);
  }
  CHECK(t.opened().size() == 2);
  t.d.remove_stream({0}, t.now, t.out);
  CHECK(t.opened() == leases{{0, t.segment(2, 0)}});
}

TEST_CASE("at shutdown waiting segments are dropped at once and leased ones at the deadline") {
  desk t;
  t.add(0, lossless());
  t.join(0, 1);
  t.whole(0, 0);
  t.whole(0, 1);
  t.out.clear();
  t.d.shutdown(t.now, t.now + 5s, t.out);
  CHECK(t.drops() == std::map<drop_reason, int>{{drop_reason::shutdown, 2}});
  t.resolve(t.segment(0, 0), 0, 1);
  t.wait(5s);
  CHECK(all<dispatch::revoke>(t.out).size() == 1);
  CHECK(t.drops() == std::map<drop_reason, int>{{drop_reason::shutdown, 3}});
  CHECK(t.d.idle());
}

TEST_CASE("limits that cannot work are refused by name") {
  stream_limits limits;
  CHECK(limits.validate());
  limits.read_ahead = 31;
  REQUIRE_FALSE(limits.validate());
  CHECK(limits.validate().error().message == "read_ahead: 31 is below 32");
  dispatcher_config config;
  CHECK(config.validate());
  config.attempts = 0;
  CHECK_FALSE(config.validate());
}

TEST_CASE("what no worker holds is known, of files, live streams and requests together") {
  desk t;
  CHECK(t.d.waiting().segments == 0);
  CHECK_FALSE(t.d.waiting().since);
  const auto limits = [](stream_policy policy) {
    stream_limits of;
    of.policy = policy;
    return of;
  };
  t.add(0, limits(stream_policy::lossless));
  t.add(1, limits(stream_policy::live));
  t.add(2, limits(stream_policy::request));
  const auto begin = t.now;
  t.whole(0, 0, 3);
  t.now += 100ms;
  t.open(0, 1);
  t.push(0, 1, 2, false); // of which nothing is wanted
  t.open(1, 0);
  t.push(1, 0, 4);
  t.whole(2, 0, 1);
  const auto all = t.d.waiting();
  CHECK(all.segments == 3);
  CHECK(all.frames == 3 + 4 + 1);
  CHECK(all.since == begin);
  t.join(0, 1, {1, 0}); // takes the request and the file's segment, but no live stream
  const auto live = t.d.waiting();
  CHECK(live.segments == 1);
  CHECK(live.frames == 4);
  CHECK(live.since == begin + 100ms);
  t.join(1, 0, {0, 1});
  CHECK(t.d.waiting().frames == 0);
}
