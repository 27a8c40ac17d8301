#include <cstdlib>
#include <sstream>
#include <string>

#include "tests/catch.hpp"
#include "tests/simulation/world.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using dispatch::stream_policy;
using test::faults;
using test::scenario;
using test::world;

namespace {

/// Streams of all kinds, drawn from the seed.
scenario draw(std::uint64_t seed, const faults& wrong) {
  test::random rng{seed * 7919 + 1};
  scenario what;
  what.seed = seed;
  what.wrong = wrong;
  what.workers = static_cast<int>(rng.between(1, 4));
  what.frame_us = rng.between(500, 12'000);
  what.slow_sink = rng.chance(0.2);
  what.head.epoch = static_cast<std::uint32_t>(seed);
  what.head.dispatcher.lease_timeout = 1500ms;
  what.head.dispatcher.stall_timeout = 2500ms;
  what.head.collector.sink_window = static_cast<std::size_t>(rng.between(1, 64));
  what.head.collector.sink_pending = static_cast<std::size_t>(rng.between(1, 16));
  const auto streams = rng.between(1, 4);
  for (std::int64_t i = 0; i < streams; ++i) {
    test::gop_shape shape;
    shape.frames = static_cast<int>(rng.between(1, 300));
    shape.min_gop = static_cast<int>(rng.between(1, 10));
    shape.max_gop = shape.min_gop + static_cast<int>(rng.between(0, 50));
    shape.b_frames = static_cast<int>(rng.between(0, 3));
    shape.open = rng.chance(0.5) ? 0.7 : 0;
    shape.hidden = rng.chance(0.3) ? 0.2 : 0;
    shape.damaged = rng.chance(0.3) ? 0.05 : 0;
    shape.starts_late = rng.chance(0.2);
    auto codec = std::make_shared<core::codec_description>();
    codec->codec = "h264";
    codec->frames_per_s = 25;
    codec->reorder_frames = test::reorder_of(shape);
    dispatch::stream_config config;
    config.codec = codec;
    config.limits.policy = rng.chance(0.4) ? stream_policy::live : stream_policy::lossless;
    config.limits.queue = static_cast<std::size_t>(rng.between(2, 32));
    config.limits.read_ahead = static_cast<std::size_t>(rng.between(32, 200));
    config.limits.read_ahead_bytes = static_cast<std::size_t>(rng.between(1000, 200'000));
    config.sample_frames_per_s = rng.chance(0.3) ? static_cast<double>(rng.between(1, 20)) : 0;
    config.min_segment_packets = rng.chance(0.2) ? 5 : 1;
    what.streams.emplace_back(config, shape);
  }
  what.head.dispatcher.requests_per_worker = static_cast<std::uint32_t>(rng.between(1, 6));
  if (rng.chance(0.6)) what.request_every_us = rng.between(20'000, 200'000);
  return what;
}

/// A thousand worlds in all; each test has seeds of its own.
///
/// To run one world alone, with its trace: test_simulation --seed N "name of the test", as a failure says.
/// More worlds: PENSTOCK_SIMULATION_TIMES=10.
struct fleet {
  std::uint64_t first = 0;
  std::uint64_t count = 100;
  bool quarantines = false; ///< some segments cannot be done
  std::int64_t request_every_us = 0;
};

/// Runs the scenario; where it breaks a rule, runs it again for the trace of its last events.
world::counts survive(const scenario& what, bool quarantines) {
  const auto tail = [&] {
    std::ostringstream trace;
    try {
      world again{what, &trace};
      again.run();
    } catch (const test::violation&) {
    }
    auto lines = trace.str();
    const std::size_t kept = std::getenv("PENSTOCK_SIMULATION_SEED") ? lines.size() : 6000;
    return lines.size() > kept ? "…" + lines.substr(lines.size() - kept) : lines;
  };
  world w{what};
  try {
    w.run();
    if (!quarantines && w.counted().quarantined > 0) throw test::violation{"nothing is quarantined without poison"};
  } catch (const test::violation& v) {
    FAIL("seed " << what.seed << ": " << v.what() << "\n"
                 << tail() << "\nalone, with its whole trace: test_simulation --seed " << what.seed << " \""
                 << Catch::getResultCapture().getCurrentTestName() << "\"");
  }
  return w.counted();
}

world::counts survive_all(fleet worlds, const faults& wrong) {
  if (const auto* times = std::getenv("PENSTOCK_SIMULATION_TIMES")) worlds.count *= std::stoull(times);
  if (const auto* only = std::getenv("PENSTOCK_SIMULATION_SEED")) {
    worlds.first = std::stoull(only);
    worlds.count = 1;
  }
  world::counts sum;
  for (auto seed = worlds.first; seed < worlds.first + worlds.count; ++seed) {
    auto what = draw(seed, wrong);
    if (worlds.request_every_us > 0) what.request_every_us = worlds.request_every_us;
    sum += survive(what, worlds.quarantines);
  }
  UNSCOPED_INFO(worlds.count << " worlds, " << sum.events << " events, " << sum.head_crashes << " crashes of the head, "
                             << sum.resumed_streams << " streams resumed, " << sum.checkpoints << " checkpoints, "
                             << sum.stale_messages << " stale messages, " << sum.rejoined << " workers rejoined, "
                             << sum.left << " left, " << sum.quarantined << " segments quarantined; of " << sum.requests
                             << " requests " << sum.requests_delivered << " delivered, " << sum.requests_late
                             << " late, " << sum.requests_poisoned << " quarantined, " << sum.requests_again
                             << " leased again");
  SUCCEED();
  return sum;
}

/// A fault that never strikes proves nothing; one world alone may be without it.
bool struck(std::uint64_t count) { return count > 0 || std::getenv("PENSTOCK_SIMULATION_SEED"); }

} // namespace

TEST_CASE("without faults every frame of a lossless stream comes once and in order") {
  survive_all({1'000'000, 100}, {});
}

TEST_CASE("workers that crash cost no frame and nothing is quarantined") {
  faults wrong;
  wrong.crash_every_us = 700'000;
  survive_all({2'000'000, 100}, wrong);
}

TEST_CASE("workers that pause and come back late cost no frame") {
  faults wrong;
  wrong.pause_every_us = 400'000;
  wrong.duplicate = 0.2;
  CHECK(struck(survive_all({3'000'000, 100}, wrong).rejoined));
}

TEST_CASE("lost messages and failing sinks are accounted for") {
  faults wrong;
  wrong.lose_outcome = 0.01;
  wrong.lose_packet = 0.005;
  wrong.lose_done = 0.05;
  wrong.duplicate = 0.05;
  wrong.sink_fails = 0.05;
  survive_all({4'000'000, 100, true}, wrong);
}

TEST_CASE("frames that kill or fail their worker are quarantined and their streams go on") {
  faults wrong;
  wrong.poison = 0.004;
  wrong.fails = 0.004;
  CHECK(struck(survive_all({5'000'000, 100, true}, wrong).quarantined));
}

TEST_CASE("everything that workers and links can do comes to an end with balanced ledgers") {
  faults wrong;
  wrong.crash_every_us = 800'000;
  wrong.pause_every_us = 800'000;
  wrong.reset_every_us = 800'000;
  wrong.leave_every_us = 800'000;
  wrong.lose_outcome = 0.005;
  wrong.lose_packet = 0.002;
  wrong.lose_done = 0.02;
  wrong.duplicate = 0.05;
  wrong.poison = 0.001;
  wrong.fails = 0.001;
  wrong.sink_fails = 0.02;
  survive_all({6'000'000, 100, true}, wrong);
}

TEST_CASE("connections that break with all that is under way cost no frame") {
  faults wrong;
  wrong.reset_every_us = 600'000;
  wrong.pause_every_us = 1'500'000;
  survive_all({7'000'000, 100}, wrong);
}

TEST_CASE("frames that break the connection of whoever decodes them are quarantined and their streams go on") {
  faults wrong;
  wrong.cuts = 0.004;
  CHECK(struck(survive_all({11'000'000, 50, true}, wrong).quarantined));
}

TEST_CASE("workers that leave in order leave nothing undone") {
  faults wrong;
  wrong.leave_every_us = 300'000;
  CHECK(struck(survive_all({8'000'000, 50}, wrong).left));
}

TEST_CASE("a head that restarts goes on where it was: each frame reaches the sinks once") {
  faults wrong;
  wrong.head_crash_every_us = 500'000;
  const auto sum = survive_all({9'000'000, 150}, wrong);
  CHECK(struck(sum.resumed_streams));
  CHECK(struck(sum.stale_messages));
}

TEST_CASE("head, workers and links may all fail at the same time") {
  faults wrong;
  wrong.head_crash_every_us = 1'000'000;
  wrong.crash_every_us = 1'500'000;
  wrong.pause_every_us = 1'000'000;
  wrong.reset_every_us = 1'000'000;
  wrong.leave_every_us = 1'500'000;
  wrong.duplicate = 0.02;
  const auto sum = survive_all({10'000'000, 100}, wrong);
  CHECK(struck(sum.resumed_streams));
  CHECK(struck(sum.rejoined));
}

TEST_CASE("under a flood of requests each ends once and in time, and lossless streams go on") {
  const auto sum = survive_all({12'000'000, 25, false, 4000}, {});
  CHECK(struck(sum.requests_delivered));
  CHECK(struck(sum.requests_late));
}

TEST_CASE("requests end once and in time whatever happens to those that do them") {
  faults wrong;
  wrong.crash_every_us = 800'000;
  wrong.pause_every_us = 800'000;
  wrong.reset_every_us = 800'000;
  wrong.leave_every_us = 800'000;
  wrong.head_crash_every_us = 2'000'000;
  wrong.lose_outcome = 0.01;
  wrong.lose_packet = 0.01;
  wrong.lose_done = 0.05;
  wrong.duplicate = 0.05;
  wrong.poison = 0.002;
  wrong.fails = 0.01;
  wrong.sink_fails = 0.02;
  const auto sum = survive_all({13'000'000, 60, true, 20'000}, wrong);
  CHECK(struck(sum.requests_delivered));
  CHECK(struck(sum.requests_late));
  CHECK(struck(sum.requests_poisoned));
  CHECK(struck(sum.requests_again));
}
