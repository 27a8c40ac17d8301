#include "dispatch/pool_meter.hpp"

#include <cmath>

#include "tests/catch.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using core::resource;
using core::stage;
using core::worker_figures;
using core::worker_phase;
using dispatch::pool_counts;
using dispatch::pool_figures;
using dispatch::pool_load;
using dispatch::pool_meter;

namespace {

/// What a stage does in each second.
struct pace {
  stage which;
  double items_per_s;
  double busy; ///< seconds of work in a second
  resource works_on = resource::cpu;
  std::uint32_t parallel = 4;
};

/// A worker that goes on at an even pace.
struct worker {
  std::string name;
  std::vector<pace> paces;
  worker_phase phase = worker_phase::ready;
  core::seconds age{0};

  [[nodiscard]] worker_figures figures() const {
    worker_figures out{phase, {}};
    for (const auto& p : paces) {
      const core::seconds busy{p.busy * age.count()};
      out.stages.push_back({p.which, static_cast<std::uint64_t>(std::llround(p.items_per_s * age.count())),
                            std::chrono::round<std::chrono::microseconds>(busy), p.works_on, p.parallel});
    }
    return out;
  }
};

/// 4 cores, half of them busy, with 100 frames in a second: it could do 200.
worker half_busy(const std::string& name) {
  return {name, {{stage::decode, 100, 1.25}, {stage::postprocess, 100, 0.75}}};
}

/// A pool that is told twice a second of its workers, and measured.
struct pool {
  pool_meter meter;
  core::time_point now{1h};
  std::vector<worker> workers;
  pool_counts counts;
  pool_load load;
  pool_figures last;

  void pass(core::seconds time, const pool_counts& each_second = {}) {
    for (int i = 0; i < std::lround(time.count() * 2); ++i) {
      for (auto& w : workers) {
        meter.heard(w.name, w.figures(), now);
        w.age += 500ms;
      }
      now += 500ms;
      if (i % 2 == 0) {
        counts.arrived += each_second.arrived;
        counts.live += each_second.live;
        counts.timely += each_second.timely;
        counts.late += each_second.late;
      }
      last = meter.measure(counts, load, now);
    }
  }
};

constexpr auto of(stage s) { return static_cast<std::size_t>(s); }

} // namespace

TEST_CASE("a worker that is busy half of its time would do twice as much", "[pool]") {
  pool p;
  p.workers = {half_busy("a"), half_busy("b")};
  p.pass(60s);
  CHECK(p.last.utilisation == Approx(0.5));
  CHECK(p.last.service_per_s == Approx(200).epsilon(0.01));
  CHECK(p.last.finished_per_s == Approx(200).epsilon(0.02)); // of both
  CHECK(p.last.stage_utilisation[of(stage::decode)] == Approx(1.25 / 4));
  CHECK(p.last.stage_utilisation[of(stage::postprocess)] == Approx(0.75 / 4));
  CHECK(p.last.stage_utilisation[of(stage::inference)] == 0);
  CHECK(p.last.bottleneck == stage::decode);
  CHECK(p.last.finished == Approx(2 * 100 * 59.5));
  CHECK(p.last.workers == dispatch::pool_workers{0, 2, 0, 0});
}

TEST_CASE("a worker is as busy as the busiest of its resources, whose largest part is the bottleneck", "[pool]") {
  pool p;
  p.workers = {{"gpu",
                {{stage::decode, 90, 1},
                 {stage::preprocess, 90, 0.3, resource::device, 3},
                 {stage::inference, 90, 1.8, resource::device, 3},
                 {stage::postprocess, 90, 0.15, resource::device, 3}}}};
  p.pass(40s);
  CHECK(p.last.utilisation == Approx(0.75)); // of the lanes; of the cores 0.25
  CHECK(p.last.service_per_s == Approx(120).epsilon(0.01));
  CHECK(p.last.bottleneck == stage::inference);

  // More cores' worth of decoding than of anything on the device, each of whose stages is larger than each on the CPU.
  p.workers = {
      {"cpu",
       {{stage::decode, 90, 1.5}, {stage::preprocess, 90, 1.4}, {stage::inference, 90, 1.5, resource::device, 3}}}};
  p.meter.gone("gpu", false, p.now);
  p.pass(40s);
  CHECK(p.last.utilisation == Approx(2.9 / 4));
  CHECK(p.last.stage_utilisation[of(stage::inference)] > p.last.stage_utilisation[of(stage::decode)]);
  CHECK(p.last.bottleneck == stage::decode);
}

TEST_CASE("busy shares end at one, though work is booked when it ends", "[pool]") {
  pool p;
  p.workers = {{"w", {{stage::inference, 10, 4.5}}}};
  p.pass(40s);
  CHECK(p.last.utilisation == 1);
  CHECK(p.last.stage_utilisation[of(stage::inference)] == 1);
  CHECK(p.last.service_per_s == Approx(10).epsilon(0.01));
}

TEST_CASE("rates are of the window, and the service rate is kept while nothing is done", "[pool]") {
  pool p;
  CHECK(p.meter.measure({}, {}, p.now).service_per_s == 0); // nobody knows yet
  p.workers = {half_busy("a")};
  p.pass(60s, {.arrived = 80});
  CHECK(p.last.arrivals_per_s == Approx(80).epsilon(0.03));
  CHECK(p.last.window >= 29s);
  CHECK(p.last.window <= 31s);
  p.workers[0].paces.clear(); // another process, with nothing to do
  p.pass(15s);
  CHECK(p.last.arrivals_per_s == Approx(40).epsilon(0.06));
  p.pass(20s);
  CHECK(p.last.arrivals_per_s == 0);
  CHECK(p.last.finished_per_s == 0);
  CHECK(p.last.utilisation == 0);
  CHECK_FALSE(p.last.bottleneck);
  CHECK(p.last.service_per_s == Approx(200).epsilon(0.01));
}

TEST_CASE("what was counted before it was first measured is no rate of a moment", "[pool]") {
  pool p;
  p.counts.arrived = 1'000'000;
  p.last = p.meter.measure(p.counts, {}, p.now);
  CHECK(p.last.arrivals_per_s == 0);
  CHECK(p.last.arrived == 1'000'000);
}

TEST_CASE("counters that begin anew give no negative and no wild rates", "[pool]") {
  pool p;
  p.workers = {half_busy("a")};
  p.pass(40s);
  const auto finished = p.last.finished;
  p.workers[0].age = 10s; // joined anew: less than before
  p.pass(500ms);
  CHECK(p.last.finished == finished);
  p.pass(40s);
  CHECK(p.last.finished == Approx(finished + 100 * 40.0));
  CHECK(p.last.utilisation == Approx(0.5));
  CHECK(p.last.service_per_s == Approx(200).epsilon(0.01));
  // Silent for long: nobody knows when it did what it did.
  p.now += 20s;
  p.workers[0].age += 1000s;
  p.pass(1s);
  CHECK(p.last.finished < finished + 100 * 45.0);
  CHECK(p.last.finished_per_s < 110);
}

TEST_CASE("only ready workers count as able to work, but what others finish is finished", "[pool]") {
  pool p;
  p.workers = {half_busy("a"), half_busy("b"), half_busy("c")};
  p.workers[1].phase = worker_phase::warming;
  p.workers[2].phase = worker_phase::draining;
  p.pass(40s);
  CHECK(p.last.workers == dispatch::pool_workers{1, 1, 1, 0});
  CHECK(p.last.utilisation == Approx(0.5));
  CHECK(p.last.service_per_s == Approx(200).epsilon(0.01));
  CHECK(p.last.finished_per_s == Approx(300).epsilon(0.02));
}

TEST_CASE("a worker in the middle of the window counts for the time that it was there", "[pool]") {
  pool p;
  p.workers = {half_busy("a")};
  p.pass(40s);
  p.workers.push_back({"b", {{stage::decode, 400, 4}, {stage::postprocess, 400, 0}}}); // works all of the time
  p.pass(10s);
  const auto seconds = p.last.window.count();
  const auto of_b = 9.5;
  CHECK(p.last.utilisation == Approx((2 * seconds + 4 * of_b) / (4 * seconds + 4 * of_b)).epsilon(0.03));
}

TEST_CASE("who went without a word is lost until it is back, or for five minutes", "[pool]") {
  pool p;
  p.workers = {half_busy("a"), half_busy("b"), half_busy("c")};
  p.pass(2s);
  const auto gone = std::exchange(p.workers, {});
  p.meter.gone("a", true, p.now);
  p.meter.gone("b", true, p.now);
  p.meter.gone("c", false, p.now); // it said bye
  p.meter.gone("d", true, p.now);  // never seen
  p.pass(1s);
  CHECK(p.last.workers == dispatch::pool_workers{0, 0, 0, 2});
  p.workers = {gone[0]};
  p.pass(1s);
  CHECK(p.last.workers == dispatch::pool_workers{0, 1, 0, 1});
  p.pass(299s);
  CHECK(p.last.workers == dispatch::pool_workers{0, 1, 0, 0});
}

TEST_CASE("a backlog is as long as ready workers need for it", "[pool]") {
  pool p;
  p.load.backlog_items = 600;
  p.load.oldest = 2s;
  p.pass(5s);
  CHECK(std::isinf(p.last.backlog.count())); // nobody is there
  p.workers = {half_busy("a"), half_busy("b")};
  p.pass(40s);
  CHECK(p.last.backlog.count() == Approx(1.5).epsilon(0.01));
  CHECK(p.last.oldest == 2s);
  p.load.backlog_items = 0;
  p.pass(1s);
  CHECK(p.last.backlog.count() == 0);
}

TEST_CASE("the late share is of those whose fate is known", "[pool]") {
  pool p;
  p.pass(10s, {.arrived = 100, .timely = 60, .late = 20});
  CHECK(p.last.late_share == Approx(0.25));
  p.pass(40s, {.arrived = 100});
  CHECK(p.last.late_share == 0);
  CHECK(p.last.late == 200);
}

TEST_CASE("live streams find a place where there is one, and time for its frames", "[pool]") {
  pool p;
  p.load.places = {512, 502};
  p.load.live_streams = 10;
  p.pass(5s);
  CHECK(p.last.headroom_streams == 0); // nobody is there
  p.workers = {half_busy("a"), half_busy("b")};
  p.pass(40s, {.arrived = 100, .live = 50});
  // 400 items/s at most, 100 come: 300 are left for streams of 5 items/s.
  CHECK(p.last.headroom_streams == Approx(60).margin(2));
  CHECK(p.last.places_per_worker == 256);
  p.load.places->free = 7;
  p.pass(1s, {.arrived = 100, .live = 50});
  CHECK(p.last.headroom_streams == 7);
  p.pass(40s, {.arrived = 1000, .live = 50});
  CHECK(p.last.headroom_streams == 0);
  p.pass(40s, {.arrived = 100, .live = 50});
  p.load.places.reset(); // they have it elsewhere
  p.pass(1s, {.arrived = 100, .live = 50});
  CHECK(p.last.headroom_streams == Approx(60).margin(2));
  CHECK(p.last.places_per_worker == 0);
}
