#include "scaling/policy/rate.hpp"

#include "tests/catch.hpp"
#include "tests/unit/scaling/loads.hpp"

using namespace penstock;
using namespace penstock::scaling;
using namespace std::chrono_literals;

namespace {

constexpr rate_options usual{
    .target_utilisation = 0.9, .burst_share = 0.05, .stable_for = 150s, .envelope_quantile = 0.9};

/// Feeds a policy signals every 10 s: smooth arrivals that are served, unless a test changes them.
class feed {
 public:
  feed(double arrivals_per_s, int workers, const rate_options& options = usual) : decides{options} {
    seen.at = core::time_point{1h};
    seen.arrivals_per_s = arrivals_per_s;
    seen.service_per_s = 10;
    seen.workers.ready = workers;
  }

  proposal once() {
    seen.at += 10s;
    if (serves) seen.served_per_s = seen.arrivals_per_s;
    return last = decides.propose(seen);
  }
  /// The fleet follows what is proposed at once.
  int follow(std::chrono::seconds time) {
    for (auto t = 0s; t < time; t += 10s) seen.workers.ready = once().workers;
    return seen.workers.ready;
  }
  proposal hold(std::chrono::seconds time) {
    for (auto t = 0s; t < time; t += 10s) once();
    return last;
  }
  [[nodiscard]] bool says(std::string_view words) const { return last.why.find(words) != std::string::npos; }

  signals seen;
  rate_policy decides;
  proposal last;
  bool serves = true;
};

/// A tenth of idle time is aimed at, and hysteresis is seven in a hundred.
constexpr rate_options plain{.target_utilisation = 0.8};

} // namespace

TEST_CASE("workers are arrivals over the true rate at the target utilisation", "[scaling]") {
  feed f{212, 4, plain};
  f.seen.service_per_s = 38;
  CHECK(f.once().workers == 7); // 212 / (38 * 0.8) = 6.97
  CHECK(f.last.why == "arrivals 212/s, a busy worker does 38/s at 80 %; +0 for boot");
}

TEST_CASE("a backlog is to be gone after the drain time", "[scaling]") {
  feed f{212, 4, plain};
  f.seen.service_per_s = 38;
  f.seen.backlog_items = 1368;  // 9 s for four
  CHECK(f.once().workers == 8); // (212 + 22.8) / (38 * 0.8) = 7.7
  CHECK(f.last.why == "arrivals 212/s, a busy worker does 38/s at 80 %; backlog 9 s drains in 60 s; +0 for boot");
  f.seen.workers.ready = 0;
  f.once();
  CHECK(f.says("backlog of 1368 drains in 60 s"));
}

TEST_CASE("a backlog that those who boot will have drained asks for nobody else", "[scaling]") {
  feed f{212, 4, plain};
  f.seen.service_per_s = 38;
  f.seen.backlog_items = 1368;
  f.seen.workers.joining = 4; // to spare: 8 * 38 * 0.8 - 212 = 31/s, for 240 s
  CHECK(f.once().workers == 8);
  CHECK_FALSE(f.says("backlog"));
}

TEST_CASE("live streams need their places whatever their rate", "[scaling]") {
  feed f{10, 1};
  f.seen.live_streams = 41;
  f.seen.streams_per_worker = 8;
  CHECK(f.once().workers == 6);
  CHECK(f.says("41 live streams need 6"));
}

TEST_CASE("live streams that keep coming find their places", "[scaling]") {
  feed f{500, 13};
  f.seen.service_per_s = 100;
  f.seen.streams_per_worker = 15;
  for (int i = 0; i < 90; ++i) {
    f.seen.live_streams = 200 + 2 * i;
    f.seen.arrivals_per_s = 2.5 * f.seen.live_streams;
    f.once();
  }
  // 378 live streams, and 0.2 more a second for 240 s and what is averaged
  CHECK(f.last.workers >= (378 + 48) / 15);
  CHECK(f.last.workers <= (378 + 60) / 15 + 1);
  CHECK(f.says(" live streams by then need "));
}

TEST_CASE("a rising load is met before it is there, and a steady one is not", "[scaling]") {
  feed flat{200, 23};
  CHECK(flat.follow(900s) == 23);
  feed rising{200, 23};
  for (int i = 0; i < 90; ++i) {
    rising.seen.arrivals_per_s += 1;
    rising.seen.workers.ready = rising.once().workers;
  }
  // 290/s now; 320/s when an instance asked for now is ready (0.1/s more each second for 285 s, without what is
  // averaged)
  CHECK(rising.seen.workers.ready >= 34);
  CHECK(rising.seen.workers.ready <= 37);
  CHECK(rising.says(" for boot"));
  CHECK_FALSE(rising.says("+0 for boot"));
}

TEST_CASE("a trend is not continued beyond its bound", "[scaling]") {
  feed f{50, 10};
  for (int i = 0; i < 60; ++i) {
    f.seen.arrivals_per_s += 10;
    f.once();
  }
  CHECK(f.last.workers <= 650 * 1.3 / 9 + 1);
}

TEST_CASE("a short memory is looked at more finely, so that workers leave within it", "[scaling]") {
  rate_policy decides{{.target_utilisation = 0.8,
                       .boot_time = 5s,
                       .level_window = 5s,
                       .trend_window = 30s,
                       .stable_for = 5s,
                       .step_every = 2s,
                       .memory = 40s,
                       .outage_grace = 0s}};
  signals seen;
  seen.at = core::time_point{1h};
  seen.window = 5s;
  seen.arrivals_per_s = seen.served_per_s = 20;
  seen.service_per_s = 10;
  seen.workers.ready = 10;
  for (int second = 0; second < 40; ++second) {
    seen.at += 1s;
    seen.workers.ready = decides.propose(seen).workers;
  }
  CHECK(seen.workers.ready == 3); // 20 / (10 * 0.8) = 2.5
}

TEST_CASE("a burst like those before is not taken for the beginning of a rise", "[scaling]") {
  feed known{300, 70};
  feed unheard{300, 70};
  for (int i = 0; i < 360; ++i) { // 100 s of twice as much in ten minutes
    known.seen.arrivals_per_s = i % 60 >= 50 ? 600 : 300;
    known.once();
    unheard.once();
  }
  for (auto* f : {&known, &unheard}) {
    f->seen.workers.ready = 34;
    for (f->seen.arrivals_per_s = 450; f->seen.arrivals_per_s <= 600; f->seen.arrivals_per_s += 10) f->once();
  }
  CHECK(known.last.workers <= 67); // 600 / 9
  CHECK(unheard.last.workers > 67);
  CHECK_FALSE(unheard.says("+0 for boot"));
}

TEST_CASE("a step counts before the mean has it, and chance does not", "[scaling]") {
  feed f{400, 45, usual};
  f.hold(300s);
  f.seen.arrivals_per_s = 403; // of a Poisson stream the mean of 30 s has a deviation of 3.7
  CHECK(f.once().workers == 45);
  f.seen.arrivals_per_s = 800;
  CHECK(f.once().workers == 89); // 800 less 5 are 88.3; of the minute's mean there were 52
}

TEST_CASE("the measured boot time counts as soon as there is one", "[scaling]") {
  const auto after_rise = [](core::seconds boot) {
    feed f{200, 23};
    f.seen.boot = boot;
    for (int i = 0; i < 90; ++i) {
      f.seen.arrivals_per_s += 1;
      f.once();
    }
    return f.last.workers;
  };
  CHECK(after_rise(10s) < after_rise(240s));
  CHECK(after_rise(0s) == after_rise(240s));
}

TEST_CASE("bursty arrivals get more workers than smooth ones of the same rate", "[scaling]") {
  feed smooth{600, 60};
  feed bursty{600, 60};
  for (int i = 0; i < 180; ++i) {
    smooth.once();
    bursty.seen.arrivals_per_s = i % 2 == 0 ? 580 : 620; // of the 30 s of its window ten are new: batches of 264
    bursty.once();
  }
  CHECK(smooth.last.workers == 67);
  CHECK(smooth.says("at 90 %"));
  CHECK(bursty.last.workers == Approx(600 / (10 * 0.686)).margin(1));
  CHECK(bursty.says("at 69 %"));
}

TEST_CASE("the noise of a steady stream is no trend", "[scaling]") {
  int trends = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto arrivals = test::poisson(test::steady(200, 3600), seed);
    feed f{200, 23};
    for (std::size_t t = 30; t <= arrivals.size(); t += 10) {
      f.seen.arrivals_per_s = test::mean_of(
          {arrivals.begin() + static_cast<std::ptrdiff_t>(t - 30), arrivals.begin() + static_cast<std::ptrdiff_t>(t)});
      f.once();
      trends += f.says("+0 for boot") ? 0 : 1;
    }
  }
  CHECK(trends <= 18); // one in a hundred decisions
}

TEST_CASE("a trend counts for less the less certain it is", "[scaling]") {
  const auto workers = [](double certainty) {
    feed f{400, 10, {.trend_certainty = certainty}};
    for (int i = 0; i < 90; ++i) {
      f.seen.arrivals_per_s = 400 + i + (i / 6 % 2 == 0 ? 20 : -20);
      f.once();
    }
    return f.last.workers;
  };
  CHECK(workers(0) > workers(5));
  CHECK(workers(5) > workers(100));
}

TEST_CASE("fewer are wanted only after fewer have been enough for long", "[scaling]") {
  feed f{400, 45};
  REQUIRE(f.follow(600s) == 45);
  f.seen.arrivals_per_s = 200;
  // The minute's mean has fallen after one minute.
  CHECK(f.follow(150s) == 45);
  CHECK(f.says("held: until 24 have been enough for 150 s"));
  CHECK(f.follow(60s) == 24); // 200 / 9 = 22.2, and 7 % to spare
  CHECK(f.follow(900s) == 24);
  CHECK(f.says("held: too few to spare"));
}

TEST_CASE("fewer come step by step where that is asked for", "[scaling]") {
  feed f{400, 45, {.target_utilisation = 0.9, .stable_for = 180s, .step_every = 60s, .step = 0.5}};
  REQUIRE(f.follow(600s) == 45);
  f.seen.arrivals_per_s = 200;
  CHECK(f.follow(180s) == 45);
  int steps = 0;
  while (f.seen.workers.ready == 45 && ++steps < 10) f.follow(10s);
  CHECK(f.seen.workers.ready == 35); // half of those beyond 24
  CHECK(f.follow(50s) == 35);
  CHECK(f.says("held: stepped in just now"));
  CHECK(f.follow(10s) == 30);
  CHECK(f.follow(900s) == 24);
}

TEST_CASE("the last of two workers that are not needed leaves", "[scaling]") {
  feed f{3, 2};
  CHECK(f.follow(900s) == 1);
}

TEST_CASE("no worker leaves before a boot time has been watched", "[scaling]") {
  feed f{20, 10};
  CHECK(f.hold(240s).workers == 10);
  CHECK(f.says("too little has been seen"));
  CHECK(f.follow(400s) < 10);
}

TEST_CASE("what rose within a boot time before keeps workers there", "[scaling]") {
  feed calm{300, 70};
  feed swinging{300, 70};
  int least = 70;
  for (int i = 0; i < 360; ++i) {
    // 400 s low, which is long enough for workers to leave, and 400 s high
    swinging.seen.arrivals_per_s = i / 40 % 2 == 1 ? 600 : 300;
    swinging.seen.workers.ready = swinging.once().workers;
    if (i >= 120) least = std::min(least, swinging.seen.workers.ready); // it has risen once
    calm.seen.workers.ready = calm.once().workers;
  }
  CHECK(calm.seen.workers.ready == 36); // 300 / 9 = 33.3, and 7 % to spare
  CHECK(least >= 67);
  CHECK(swinging.says("held: arrivals rose to what asks for 67 within a boot time"));
}

TEST_CASE("nobody leaves while items are late", "[scaling]") {
  feed f{400, 45};
  f.follow(600s);
  f.seen.arrivals_per_s = 300;
  f.seen.late_share = 0.02;
  CHECK(f.follow(900s) == 45);
  CHECK(f.says("held: items are late"));
  f.seen.late_share = 0;
  CHECK(f.follow(900s) < 45);
}

TEST_CASE("a dip by an outage takes nobody away, and arrivals have a while to come back", "[scaling]") {
  const auto outage = [](auto begin, auto end) {
    feed f{400, 45};
    f.follow(900s);
    begin(f);
    f.seen.arrivals_per_s = 20;
    CHECK(f.follow(1500s) == 45);
    CHECK(f.says("held: arrivals fell in an outage"));
    end(f);
    CHECK(f.follow(500s) == 45);
    f.seen.arrivals_per_s = 400;
    CHECK(f.follow(900s) == 45);
    // Once more, and this time nobody comes back.
    begin(f);
    f.seen.arrivals_per_s = 20;
    f.follow(100s);
    end(f);
    CHECK(f.follow(1500s) < 20);
  };
  outage([](feed& f) { f.seen.workers.lost = 5; }, [](feed& f) { f.seen.workers.lost = 0; });
  outage([](feed& f) { f.seen.late_share = 0.8; }, [](feed& f) { f.seen.late_share = 0; });
  outage(
      [](feed& f) {
        f.serves = false;
        f.seen.served_per_s = 0;
        f.seen.backlog_items = 10;
      },
      [](feed& f) {
        f.serves = true;
        f.seen.backlog_items = 0;
      });
}

TEST_CASE("the same dip without a trouble is the demand", "[scaling]") {
  feed f{400, 45};
  f.follow(900s);
  f.seen.arrivals_per_s = 20;
  CHECK(f.follow(1500s) < 20);
}

TEST_CASE("without a known service rate the fleet is held, and later the last known one counts", "[scaling]") {
  feed f{200, 3};
  f.seen.service_per_s = 0;
  CHECK(f.once().workers == 3);
  CHECK(f.says("has not been seen yet"));
  f.seen.service_per_s = 10;
  CHECK(f.once().workers == 23);
  f.seen.service_per_s = 0;
  CHECK(f.once().workers == 23);
}

TEST_CASE("where there is work and nobody, one is asked for to see how much a worker does", "[scaling]") {
  feed f{200, 0};
  f.seen.service_per_s = 0;
  CHECK(f.once().workers == 1);
  f.seen.arrivals_per_s = 0;
  CHECK(f.once().workers == 0);
  f.seen.backlog_items = 1;
  CHECK(f.once().workers == 1);
}

TEST_CASE("one odd service rate changes nothing", "[scaling]") {
  feed f{200, 23};
  f.hold(60s);
  f.seen.service_per_s = 1;
  CHECK(f.once().workers == 23);
}

TEST_CASE("a fleet that has nothing to do keeps nobody for it", "[scaling]") {
  feed f{0, 5};
  f.seen.service_per_s = 10;
  f.once();
  f.seen.service_per_s = 0;
  CHECK(f.follow(1200s) == 0);
}

TEST_CASE("rate options that make no sense are named", "[scaling]") {
  CHECK(rate_options{}.validate());
  const auto message = [](rate_options o) { return o.validate().error().message; };
  CHECK(message({.target_utilisation = 0}) == "target_utilisation: 0 is not between 0 and 1");
  CHECK(message({.drain_time = 0s}) == "drain_time: 0 is not a time above 0");
  CHECK(message({.most_growth = 0.5}) == "most_growth: 0.5 is not at least 1");
  CHECK(message({.step = 2}) == "step: 2 is not from 0 to 1");
  CHECK(message({.memory = 60s}) == "memory: 60 is not at least 900");
  CHECK(message({.boot_time = 55s, .trend_window = 30s, .memory = 60s}) == "memory: 60 is not at least 61");
}
