#include <algorithm>
#include <map>

#include "dispatch/head.hpp"
#include "tests/catch.hpp"
#include "tests/unit/dispatch/desk.hpp"

using namespace penstock;
using namespace penstock::dispatch;
using namespace std::chrono_literals;
using core::drop_reason;
using core::worker_id;
using test::all;
using test::leases;

namespace {

/// Requests of one packet, each a stream of its own.
struct desk : test::desk {
  using test::desk::desk;

  /// Its time is over `in` from now.
  core::segment_id ask(std::uint32_t stream, std::optional<std::chrono::milliseconds> in = {}) {
    stream_limits limits;
    limits.policy = stream_policy::request;
    if (in) limits.deadline = now + *in;
    add(stream, limits);
    whole(stream, 0, 1);
    d.stream_ended({stream}, now, out);
    return segment(stream, 0);
  }
  void done(std::uint32_t worker, std::uint32_t stream) {
    resolve(segment(stream, 0), 0, 1);
    d.segment_done({worker}, segment(stream, 0), now, out);
  }
  void fail(std::uint32_t worker, std::uint32_t stream) {
    d.segment_failed({worker}, segment(stream, 0), {core::errc::engine, "no"}, now, out);
  }
  [[nodiscard]] std::uint32_t held(std::uint32_t worker) const { return d.load_of(worker_id{worker}).requests; }
};

dispatcher_config at_most(std::uint32_t requests) {
  dispatcher_config config;
  config.requests_per_worker = requests;
  return config;
}

using reasons = std::map<drop_reason, int>;

} // namespace

TEST_CASE("a request uses no credit, has no grants, and workers hear that somebody waits for it") {
  desk t;
  t.join(0, 0);
  t.ask(7);
  REQUIRE(all<send_open>(t.out).size() == 1);
  CHECK(all<send_open>(t.out)[0].live);
  CHECK(all<send_packet>(t.out).size() == 1);
  CHECK(all<send_close>(t.out).size() == 1);
  CHECK(all<grant>(t.out).empty());
  CHECK(t.held(0) == 1);
  t.done(0, 7);
  CHECK(t.held(0) == 0);
  CHECK(t.d.load_of(worker_id{0}).credit == 0);
  CHECK(t.d.idle());
}

TEST_CASE("a worker has no more requests at a time than it may, and those that wait come by their deadline") {
  desk t{at_most(2)};
  t.join(0, 4);
  t.ask(0, 900ms);
  t.ask(1, 900ms);
  t.out.clear();
  t.ask(2, 800ms);
  t.ask(3);
  t.ask(4, 500ms);
  t.ask(5, 800ms);
  CHECK(t.opened().empty());
  CHECK(t.d.waiting_requests() == 4);
  for (const auto& [done, next] : {std::pair{0U, 4U}, std::pair{1U, 2U}, std::pair{4U, 5U}, std::pair{2U, 3U}}) {
    t.done(0, done);
    CHECK(t.opened() == leases{{0, t.segment(next, 0)}});
    CHECK(t.held(0) == 2);
  }
  CHECK(t.d.waiting_requests() == 0);
}

TEST_CASE("the least loaded worker has the next request; one that takes nothing has none") {
  desk t{at_most(8)};
  t.join(0, 0, {0, 0});
  t.join(1, 0, {2, 0});
  t.join(2, 0, {4, 0});
  t.join(3, 0, {0, 2});
  for (std::uint32_t i = 0; i < 8; ++i) t.ask(i);
  CHECK(t.held(0) == 0);
  CHECK(t.held(1) == 2);
  CHECK(t.held(2) == 4);
  CHECK(t.held(3) == 2);
  for (std::uint32_t i = 8; i < 24; ++i) t.ask(i);
  for (std::uint32_t w = 1; w < 4; ++w) CHECK(t.held(w) == 8); // beyond its capacity, not beyond the limit
  t.out.clear();
  t.ask(24);
  CHECK(t.opened().empty());
}

TEST_CASE("requests come before live streams and lossless segments that wait") {
  desk t{at_most(1)};
  stream_limits live;
  live.policy = stream_policy::live;
  t.add(0, {});
  t.add(1, live);
  t.whole(0, 0);
  t.whole(1, 0);
  t.ask(2, 1s);
  t.out.clear();
  t.join(0, 1, {1, 1});
  t.ask(3, 1s);
  CHECK(t.opened() == leases{{0, t.segment(2, 0)}, {0, t.segment(1, 0)}, {0, t.segment(0, 0)}});
}

TEST_CASE("lossless segments get their workers under a flood of requests") {
  desk t{at_most(2)};
  t.add(0, {});
  t.join(0, 1);
  for (std::uint32_t i = 1; i <= 1000; ++i) t.ask(i, 1s);
  t.out.clear();
  for (std::uint64_t n = 0; n < 50; ++n) {
    t.whole(0, n);
    CHECK(t.opened() == leases{{0, t.segment(0, n)}});
    t.resolve(t.segment(0, n), 0, 2);
    t.d.segment_done({0}, t.segment(0, n), t.now, t.out);
    t.d.worker_credit({0}, 1, t.now, t.out);
    CHECK(t.opened().empty());
  }
  CHECK(t.d.waiting_requests() == 998);
}

TEST_CASE("a request whose deadline passes is dropped, leased or not, and leaves its worker") {
  desk t{at_most(1)};
  t.join(0, 1);
  t.ask(0, 200ms);
  t.ask(1, 300ms);
  t.out.clear();
  t.wait(199ms);
  CHECK(t.out.empty());
  t.wait(1ms);
  CHECK(all<dispatch::revoke>(t.out).size() == 1);
  CHECK(t.drops() == reasons{{drop_reason::deadline, 1}});
  CHECK(t.opened() == leases{{0, t.segment(1, 0)}});
  t.ask(2, 150ms);
  t.d.worker_lost({0}, t.now, t.out); // both wait
  t.out.clear();
  t.wait(150ms);
  CHECK(all<dispatch::revoke>(t.out).empty());
  CHECK(t.drops() == reasons{{drop_reason::deadline, 2}});
  CHECK(t.d.waiting_requests() == 0);
  CHECK(t.d.idle());
}

TEST_CASE("a request is not leased, and not leased again, behind its deadline") {
  desk t{at_most(1)};
  SECTION("first") {
    t.join(0, 1);
    t.ask(0, 0ms);
    CHECK(t.drops() == reasons{{drop_reason::deadline, 1}});
  }
  SECTION("after it waited") {
    t.ask(0, 10ms);
    t.now += 10ms;
    t.join(0, 1);
    CHECK(t.drops() == reasons{{drop_reason::deadline, 1}});
  }
  SECTION("after its worker failed") {
    t.join(0, 1);
    t.join(1, 1);
    t.ask(0, 10ms);
    t.out.clear();
    t.now += 10ms;
    t.fail(0, 0);
    CHECK(t.drops() == reasons{{drop_reason::deadline, 1}});
  }
  SECTION("after its worker was lost") {
    t.join(0, 1);
    t.join(1, 1);
    t.ask(0, 10ms);
    t.out.clear();
    t.now += 10ms;
    t.d.worker_lost({0}, t.now, t.out);
    CHECK(t.drops() == reasons{{drop_reason::deadline, 1}});
  }
  CHECK(t.opened().empty());
  CHECK(t.d.waiting_requests() == 0);
}

TEST_CASE("a request that has its result keeps its lease until its worker is done, whatever the time") {
  desk t;
  t.join(0, 1);
  t.ask(0, 100ms);
  t.resolve(t.segment(0, 0), 0, 1);
  t.out.clear();
  t.wait(100ms);
  CHECK(t.out.empty());
  t.d.segment_done({0}, t.segment(0, 0), t.now, t.out);
  CHECK(t.held(0) == 0);
}

TEST_CASE("a failed request goes to another worker, and waits for one while others pass it") {
  desk t{at_most(1)};
  t.join(0, 1);
  t.ask(0, 100ms);
  t.join(1, 1);
  t.ask(1, 900ms);
  t.ask(2, 900ms);
  t.out.clear();
  t.fail(0, 0); // worker 1 is full: worker 0 has the next one
  CHECK(t.opened() == leases{{0, t.segment(2, 0)}});
  t.ask(3, 200ms);
  t.done(1, 1);
  CHECK(t.opened() == leases{{1, t.segment(0, 0)}});
  t.done(1, 0);
  CHECK(t.opened() == leases{{1, t.segment(3, 0)}});
}

TEST_CASE("where there is but one worker a failed request goes to it again, until it is poison") {
  desk t;
  t.join(0, 1);
  t.ask(0, 100ms);
  for (int i = 0; i < 2; ++i) {
    t.out.clear();
    t.fail(0, 0);
    CHECK(t.opened() == leases{{0, t.segment(0, 0)}});
  }
  t.fail(0, 0);
  CHECK(all<quarantine>(t.out).size() == 1);
  CHECK(t.drops() == reasons{{drop_reason::poison, 1}});
  CHECK(t.held(0) == 0);
  CHECK(t.d.idle());
}

TEST_CASE("a request whose workers die is dropped as poison where others would be suspect") {
  desk t;
  t.ask(0, 1s);
  t.join(0, 1);
  t.d.worker_lost({0}, t.now, t.out);
  t.join(1, 1);
  CHECK(t.drops().empty());
  t.d.worker_lost({1}, t.now, t.out);
  CHECK(t.drops() == reasons{{drop_reason::poison, 1}});
  CHECK(all<quarantine>(t.out).size() == 1);
  t.out.clear();
  t.join(2, 1);
  CHECK(t.opened().empty());
}

TEST_CASE("workers that give their leases back count nothing against requests") {
  desk t;
  t.ask(0, 1s);
  for (std::uint32_t w = 0; w < 10; ++w) {
    t.out.clear();
    t.join(w, 1);
    CHECK(t.opened() == leases{{w, t.segment(0, 0)}});
    t.d.worker_lost({w}, t.now, t.out, true);
  }
}

TEST_CASE("a request may stand behind others for long, and is taken from a worker that stands still") {
  dispatcher_config config;
  config.lease_timeout = 2s;
  config.stall_timeout = 5s;
  desk t{config};
  t.join(0, 1);
  t.ask(0, 10s);
  t.join(1, 1);
  t.out.clear();
  const auto wait = [&](int tenths) {
    for (int i = 0; i < tenths; ++i) {
      for (std::uint32_t w = 0; w < 2; ++w) t.d.worker_heartbeat({w}, t.now);
      t.wait(100ms);
    }
  };
  wait(50);
  CHECK(all<dispatch::revoke>(t.out).empty());
  wait(1);
  CHECK(all<dispatch::revoke>(t.out).size() == 1);
  CHECK(t.opened() == leases{{1, t.segment(0, 0)}});
}

TEST_CASE("a late result ends a request that waits for another worker") {
  desk t{at_most(1)};
  t.join(0, 1);
  t.ask(0, 1s);
  t.join(1, 0);
  t.ask(1, 1s);
  t.fail(0, 0);
  CHECK(t.d.waiting_requests() == 1);
  t.resolve(t.segment(0, 0), 0, 1);
  CHECK(t.d.waiting_requests() == 0);
  t.out.clear();
  t.done(1, 1);
  CHECK(t.opened().empty());
  CHECK(t.d.idle());
}

TEST_CASE("a worker that is kept for a suspect segment gets no requests until that has ended") {
  desk t;
  t.add(0, {});
  t.whole(0, 0);
  for (std::uint32_t w = 0; w < 2; ++w) {
    t.join(w, 1);
    t.ask(10 + w, 10s);
    t.d.worker_lost({w}, t.now, t.out);
    t.d.remove_stream({10 + w}, t.now, t.out);
  }
  t.join(2, 0);
  t.ask(2, 10s); // is there before the suspect may come
  CHECK(t.held(2) == 0);
  t.out.clear();
  t.d.worker_credit({2}, 1, t.now, t.out);
  CHECK(t.opened() == leases{{2, t.segment(0, 0)}});
  t.resolve(t.segment(0, 0), 0, 2);
  t.d.segment_done({2}, t.segment(0, 0), t.now, t.out);
  CHECK(t.opened() == leases{{2, t.segment(2, 0)}});
}

TEST_CASE("a suspect segment waits until the requests of its worker have ended") {
  desk t;
  t.join(2, 0);
  for (std::uint32_t i = 10; i < 13; ++i) t.ask(i, 10s);
  t.add(0, {});
  t.whole(0, 0);
  for (std::uint32_t w = 0; w < 2; ++w) {
    t.join(w, 1);
    t.d.worker_lost({w}, t.now, t.out);
  }
  t.out.clear();
  t.d.worker_credit({2}, 1, t.now, t.out);
  t.done(2, 10);
  t.done(2, 11);
  CHECK(t.opened().empty());
  t.done(2, 12);
  CHECK(t.opened() == leases{{2, t.segment(0, 0)}});
}

TEST_CASE("at shutdown waiting requests are dropped at once, and leased ones are not leased again") {
  desk t{at_most(1)};
  t.join(0, 1);
  t.ask(0, 10s);
  t.ask(1, 10s);
  t.out.clear();
  t.d.shutdown(t.now, t.now + 5s, t.out);
  CHECK(t.drops() == reasons{{drop_reason::shutdown, 1}});
  CHECK(t.d.waiting_requests() == 0);
  t.fail(0, 0);
  CHECK(t.drops() == reasons{{drop_reason::shutdown, 2}});
  CHECK(t.d.idle());
}

TEST_CASE("what is cancelled is dropped for the reason that is given, and makes room") {
  desk t{at_most(1)};
  t.join(0, 1);
  for (std::uint32_t i = 0; i < 3; ++i) t.ask(i, 10s);
  t.out.clear();
  t.d.remove_stream({1}, t.now, t.out, drop_reason::cancelled);
  CHECK(t.d.waiting_requests() == 1);
  t.d.remove_stream({0}, t.now, t.out, drop_reason::cancelled);
  CHECK(t.drops() == reasons{{drop_reason::cancelled, 2}});
  CHECK(all<dispatch::revoke>(t.out).size() == 1);
  CHECK(t.opened() == leases{{0, t.segment(2, 0)}});
  CHECK(t.d.count_streams() == 1);
}

TEST_CASE("a request of several packets, or one that grows large, ends as well") {
  dispatcher_config config;
  config.segment_retain_bytes = 1000;
  desk t{config};
  stream_limits limits;
  limits.policy = stream_policy::request;
  t.add(0, limits);
  t.open(0, 0);
  t.push(0, 0, 3, false, 600); // nothing of it is wanted
  t.close(0, 0);
  t.whole(0, 1, 3);
  CHECK(t.d.waiting_requests() == 1);
  t.join(0, 0);
  t.resolve(t.segment(0, 1), 0, 3);
  t.d.segment_done({0}, t.segment(0, 1), t.now, t.out);
  CHECK(t.held(0) == 0);
  CHECK(t.d.idle());
}

TEST_CASE("only requests have a deadline, and a worker takes at least one of them") {
  stream_limits limits;
  limits.policy = stream_policy::request;
  limits.deadline = core::time_point{1h};
  CHECK(limits.validate());
  limits.policy = stream_policy::live;
  REQUIRE_FALSE(limits.validate());
  CHECK(limits.validate().error().message == "deadline: only requests have one");
  CHECK_FALSE(at_most(0).validate());
  CHECK(at_most(1).validate());
}

// ---- through the whole head

namespace {

struct door {
  door() : h{{{}, {}, 1}} { h.worker_joined({0}, {4, 4}, now, out); }

  void ask(std::uint32_t stream, bool finish = true) {
    stream_config config;
    config.codec = test::make_codec();
    config.limits.policy = stream_policy::request;
    config.limits.deadline = now + 1s;
    h.add_stream({stream}, config, now, out);
    h.push({stream}, test::make_packet(0, core::random_access::closed), now, out);
    if (finish) h.finish({stream}, now, out);
  }
  void outcome(std::uint32_t stream) {
    core::frame_outcome outcome;
    outcome.id = {{{stream}, 1, 0}, 0};
    h.outcome(std::move(outcome), now, out);
  }

  head h;
  head::actions out;
  core::time_point now{1h};
};

} // namespace

TEST_CASE("a request's result leaves at once, without a checkpoint, and its stream ends with its acknowledgement") {
  door t;
  const bool finished = GENERATE(true, false);
  t.ask(5, finished);
  t.outcome(5);
  CHECK(all<emit>(t.out).size() == 1);
  t.h.finish({5}, t.now, t.out);
  t.h.segment_done({0}, {{5}, 1, 0}, t.now, t.out);
  t.h.acknowledged({5}, 1, 0, t.now, t.out);
  CHECK(all<checkpoint>(t.out).empty());
  CHECK(all<stream_finished>(t.out).size() == 1);
  CHECK(t.h.collecting().ledger_of({5}).delivered == 1);
  t.h.remove_stream({5});
  CHECK(t.h.count_streams() + t.h.dispatching().count_streams() + t.h.collecting().count_streams() == 0);
}

TEST_CASE("a late result of a request that was dropped is not delivered") {
  door t;
  const bool cancelled = GENERATE(true, false);
  t.ask(5);
  if (cancelled) {
    t.h.cancel({5}, t.now, t.out, drop_reason::cancelled);
  } else {
    t.now += 1s;
    t.h.tick(t.now, t.out);
  }
  CHECK(all<stream_finished>(t.out).size() == 1);
  CHECK(all<dispatch::revoke>(t.out).size() == 1);
  t.outcome(5);
  CHECK(all<emit>(t.out).empty());
  const auto& books = t.h.collecting().ledger_of({5});
  CHECK(books.dropped_for(cancelled ? drop_reason::cancelled : drop_reason::deadline) == 1);
  CHECK(books.balanced(0));
  t.h.remove_stream({5});
  t.outcome(5);
  CHECK(t.h.dispatching().count_streams() == 0);
  CHECK(t.h.dispatching().load_of(worker_id{0}).requests == 0);
}

TEST_CASE("there is no checkpoint behind frames that were cancelled") {
  door t;
  stream_config config;
  config.codec = test::make_codec();
  t.h.add_stream({0}, config, t.now, t.out);
  for (int i = 0; i < 3; ++i) t.h.push({0}, test::make_packet(i * 40, core::random_access::closed), t.now, t.out);
  t.h.cancel({0}, t.now, t.out, drop_reason::cancelled);
  CHECK(t.h.collecting().ledger_of({0}).dropped_for(drop_reason::cancelled) == 3);
  CHECK(all<checkpoint>(t.out).empty());
  CHECK(all<stream_finished>(t.out).size() == 1);
}

TEST_CASE("what a whole request costs the head", "[.figures]") {
  door t;
  const auto packet = test::make_packet(0, core::random_access::closed);
  stream_config config;
  config.codec = test::make_codec();
  config.limits.policy = stream_policy::request;
  config.limits.deadline = t.now + 1h;
  std::uint32_t next = 0;
  const auto request = [&] {
    const core::stream_id id{next++};
    t.h.add_stream(id, config, t.now, t.out);
    t.h.push(id, packet, t.now, t.out);
    t.h.finish(id, t.now, t.out);
    t.outcome(id.value);
    t.h.segment_done({0}, {id, 1, 0}, t.now, t.out);
    t.h.acknowledged(id, 1, 0, t.now, t.out);
    t.h.remove_stream(id);
    t.out.clear();
  };
  constexpr int requests = 200'000;
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < requests; ++i) request();
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count() / requests);
  }
  WARN("a request costs the head " << best << " ns");
  CHECK(best < 5000);
}
