#include "scaling/simulator/simulation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/catch.hpp"
#include "tests/unit/scaling_simulator/fixed_policy.hpp"

using namespace penstock::scaling;
using namespace penstock::scaling::simulator;
using penstock::core::drop_reason;
using penstock::scaling::test::plain;
using penstock::scaling::test::simulate_fixed;

namespace {

bool balances(const results& r) { return r.arrived == r.finished + r.dropped_total() + r.waiting; }

std::uint64_t dropped_for(const results& r, drop_reason reason) { return r.dropped[static_cast<std::size_t>(reason)]; }

/// A queue that the whole fleet shares, first come first served, in which everybody waits.
scenario queue_of(double per_s, double length_s, int workers) {
  auto what = plain(steady(per_s, length_s), workers);
  what.dispatcher.requests_per_worker = 1;
  what.deadline_s = 1e6;
  return what;
}

/// Erlang's C: the probability of waiting in M/M/c.
double erlang_c(int c, double load) {
  double sum = 0;
  double term = 1;
  for (int k = 0; k < c; ++k) {
    sum += term;
    term *= load / (k + 1);
  }
  const auto waits = term * c / (c - load);
  return waits / (sum + waits);
}

} // namespace

TEST_CASE("the same seed gives the same run, another one another") {
  auto what = plain(burst(60, 900, 3, 5), 4);
  what.machines.boot_from_s = 30;
  what.machines.boot_to_s = 90;
  what.machines.fails = 0.2;
  what.machines.spot_life_s = 600;
  const auto run = [&](std::uint64_t seed) {
    what.seed = seed;
    return test::simulate(what, [](const signals& s) { return static_cast<int>(s.arrivals_per_s / 15) + 1; });
  };
  const auto first = run(3);
  const auto again = run(3);
  const auto other = run(4);
  CHECK(first.arrived == again.arrived);
  CHECK(first.times.mean_s() == again.times.mean_s());
  CHECK(first.instance_s == again.instance_s);
  REQUIRE(first.moments.size() == again.moments.size());
  for (std::size_t i = 0; i < first.moments.size(); ++i) {
    REQUIRE(first.moments[i].ready == again.moments[i].ready);
    REQUIRE(first.moments[i].latency_s == again.moments[i].latency_s);
    REQUIRE(first.moments[i].why == again.moments[i].why);
  }
  CHECK(first.arrived != other.arrived);
}

TEST_CASE("waiting times are those of M/D/1") {
  const auto load = GENERATE(0.5, 0.8);
  const auto r = simulate_fixed(queue_of(20 * load, 20'000, 1));
  const auto waits = 0.05 * load / (2 * (1 - load));
  CHECK(r.times.mean_s() - 0.05 == Approx(waits).epsilon(0.06));
  CHECK(r.finished == r.arrived);
}

TEST_CASE("waiting times are those of M/M/c") {
  struct example {
    int workers;
    int instances;
    double load;
  };
  const auto e = GENERATE(example{4, 1, 0.8}, example{10, 1, 0.9}, example{1, 4, 0.8});
  auto what = queue_of(20 * e.workers * e.instances * e.load, 8'000, e.workers);
  what.service.varies = variation::exponential;
  what.service.instances = e.instances;
  what.dispatcher.requests_per_worker = e.workers > 1 ? 1 : 100'000; // one worker alone is the queue itself
  const auto servers = e.workers * e.instances;
  const auto waits = erlang_c(servers, servers * e.load) / (20 * servers * (1 - e.load));
  const auto r = simulate_fixed(what);
  CHECK(r.times.mean_s() - 0.05 == Approx(waits).epsilon(0.1));
}

TEST_CASE("a flooded worker fills its batches and does what their curve says") {
  auto what = plain(steady(100, 120), 1);
  what.service.fixed_s = 0.04;
  what.service.per_item_s = 0.01;
  what.service.batch = GENERATE(1, 8); // 20 a second alone, 66.7 in batches of 8
  what.dispatcher.requests_per_worker = 64;
  what.deadline_s = 1e6;
  signals last;
  const auto r = test::simulate(what, [&](const signals& s) {
    last = s;
    return 1;
  });
  CHECK(last.served_per_s == Approx(what.service.most_per_s()).epsilon(0.03));
  CHECK(last.service_per_s == Approx(what.service.most_per_s()).epsilon(0.03));
  CHECK(last.utilisation > 0.99);
  CHECK(r.finished == r.arrived);
}

TEST_CASE("every item is finished, dropped for a reason, or still waiting") {
  SECTION("with room for all of them") {
    const auto r = simulate_fixed(plain(steady(100, 300), 8));
    CHECK(balances(r));
    CHECK(r.finished == r.arrived);
    CHECK(r.within_share() == 1);
  }
  SECTION("with too few workers requests are given up at their deadline") {
    const auto r = simulate_fixed(plain(steady(100, 300), 3));
    CHECK(balances(r));
    CHECK(static_cast<double>(dropped_for(r, drop_reason::deadline)) > 0.3 * static_cast<double>(r.arrived));
    CHECK(dropped_for(r, drop_reason::deadline) == r.dropped_total());
    CHECK(r.finished > 0);
    CHECK(r.finished < 310 * 60);
  }
  SECTION("with nobody there all are") {
    auto what = plain(steady(100, 60), 0);
    const auto r = simulate_fixed(what);
    CHECK(balances(r));
    CHECK(r.finished == 0);
    CHECK(dropped_for(r, drop_reason::deadline) + r.waiting == r.arrived);
    CHECK(r.max_backlog == Approx(1000).epsilon(0.15)); // ten seconds' worth
  }
  SECTION("frames of cameras are shed") {
    auto what = plain(camera_fleet(100, 1, 300, 1 / 3.0, 1), 3);
    what.streams_per_worker = 40;
    const auto r = simulate_fixed(what);
    CHECK(balances(r));
    CHECK(r.waiting == 0);
    CHECK(static_cast<double>(dropped_for(r, drop_reason::shed)) > 0.05 * static_cast<double>(r.arrived));
    CHECK(dropped_for(r, drop_reason::shed) == r.dropped_total());
  }
  SECTION("while instances fail, are taken away, and come and go") {
    auto what = GENERATE(plain(burst(100, 1200, 3, 2), 5), plain(camera_fleet(120, 1, 1200, 1 / 3.0, 2), 5));
    what.machines.boot_from_s = 10;
    what.machines.boot_to_s = 60;
    what.machines.fails = 0.2;
    what.machines.spot_life_s = 200;
    what.machines.notice_s = GENERATE(0, 30);
    const auto r = test::simulate(what, [n = 0](const signals&) mutable { return 2 + 7 * ++n % 11; });
    CHECK(balances(r));
    CHECK(r.taken > 10);
    CHECK(r.failed > 0);
    CHECK(r.asked > 20);
  }
}

TEST_CASE("a fleet that shrinks and grows loses nothing") {
  auto what = plain(steady(40, 1800), 4);
  what.machines.boot_from_s = what.machines.boot_to_s = 20;
  const auto r = test::simulate(what, [n = 0](const signals&) mutable { return ++n % 4 < 2 ? 3 : 6; });
  CHECK(r.direction_changes > 10);
  CHECK(r.finished == r.arrived);
  CHECK(r.dropped_total() == 0);
}

TEST_CASE("an instance works a boot and a warming after it was asked for, and not before") {
  auto what = plain(steady(10, 900), 1);
  what.machines.boot_from_s = what.machines.boot_to_s = 240;
  what.machines.warm_s = 10;
  const auto r = test::simulate(what, [n = 0](const signals&) mutable { return ++n >= 4 ? 5 : 1; });
  for (const auto& m : r.moments) {
    INFO("at " << m.at_s);
    CHECK(m.ready == (m.at_s < 60 + 250 ? 1 : 5)); // the fourth decision is at 60 s
    CHECK(m.paid == (m.at_s < 60 ? 1 : 5));
  }
  CHECK(r.asked == 4);
}

TEST_CASE("boot times that are drawn lie within their bounds") {
  auto what = plain(steady(1, 900), 1);
  what.machines.boot_from_s = 100;
  what.machines.boot_to_s = 200;
  what.interval_s = 1;
  const auto r = test::simulate(what, [](const signals&) { return 101; });
  const auto ready_at = [&](double s) { return r.moments[static_cast<std::size_t>(s) - 1].ready; };
  CHECK(ready_at(100) == 1);
  CHECK(ready_at(151) == Approx(51).margin(15));
  CHECK(ready_at(202) == 101);
}

TEST_CASE("instances are paid for from their request until they are retired") {
  auto what = plain(steady(1, 1000), 2);
  what.machines.price_per_h = 0.9;
  what.machines.boot_from_s = what.machines.boot_to_s = 240;
  what.interval_s = 10;
  SECTION("a constant fleet") { CHECK(simulate_fixed(what).instance_s == Approx(2000)); }
  SECTION("one more, from the moment it is asked for") {
    const auto r = test::simulate(
        what, [](const signals& s) { return s.at.time_since_epoch() < std::chrono::seconds{300} ? 2 : 3; });
    CHECK(r.instance_s == Approx(2000 + 700));
    CHECK(r.cost == Approx(2700 * 0.9 / 3600));
    CHECK(r.moments.back().cost == Approx(r.cost));
  }
  SECTION("one fewer: it drains at once, and the next decision retires it") {
    const auto r = test::simulate(
        what, [](const signals& s) { return s.at.time_since_epoch() < std::chrono::seconds{300} ? 2 : 1; });
    CHECK(r.instance_s == Approx(2000 - 690));
  }
}

TEST_CASE("no more instances come than there are, and those that fail to boot are asked for again") {
  auto what = plain(steady(1, 3600), 2);
  what.machines.boot_from_s = what.machines.boot_to_s = 60;
  SECTION("not available") {
    what.machines.available = 5;
    const auto r = test::simulate(what, [](const signals&) { return 9; });
    CHECK(r.max_workers == 5);
    CHECK(r.not_given >= 4);
  }
  SECTION("failing") {
    what.machines.fails = 0.5;
    const auto r = test::simulate(what, [](const signals&) { return 9; });
    CHECK(r.failed > 0);
    CHECK(r.moments.back().ready == 9);
    CHECK(r.asked == 7 + r.failed);
  }
}

TEST_CASE("an instance that is taken away with a notice hands its work on in time, and one without loses its leases") {
  auto what = plain(steady(60, 3600), 6);
  what.machines.boot_from_s = what.machines.boot_to_s = 30;
  what.machines.spot_life_s = 600;
  what.machines.notice_s = GENERATE(0, 30);
  const auto r = test::simulate(what, [](const signals&) { return 6; });
  CHECK(r.taken > 10);
  CHECK(r.finished == r.arrived); // somebody else did it
  CHECK(r.within_share() > 0.99);
}

TEST_CASE("policies see what the formulas of signals say") {
  auto what = plain(steady(50, 600), 5);
  what.service.instances = 1;
  std::vector<signals> seen;
  const auto r = test::simulate(what, [&](const signals& s) {
    seen.push_back(s);
    return 5;
  });
  REQUIRE(seen.size() == 40);
  double arrivals = 0;
  double utilisation = 0;
  for (const auto& s : seen) {
    CHECK(s.service_per_s == Approx(20).epsilon(0.01));
    CHECK(s.workers.ready == 5);
    CHECK(s.late_share == 0);
    arrivals += s.arrivals_per_s / static_cast<double>(seen.size());
    utilisation += s.utilisation / static_cast<double>(seen.size());
  }
  CHECK(seen.back().window == penstock::core::seconds{30});
  CHECK(arrivals == Approx(50).epsilon(0.03));
  CHECK(utilisation == Approx(0.5).epsilon(0.03));
  CHECK(r.moments.size() == 40);
}

TEST_CASE("a flood shows as backlog, as age and as late items") {
  auto what = plain(steady(100, 300), 2);
  signals last;
  static_cast<void>(test::simulate(what, [&](const signals& s) {
    last = s;
    return 2;
  }));
  CHECK(last.utilisation > 0.99);
  CHECK(last.service_per_s <= 20.5); // less where what is being done is given up meanwhile
  CHECK(last.served_per_s == Approx(2 * last.service_per_s).epsilon(0.05));
  CHECK(last.late_share > 0.95);
  CHECK(last.oldest.count() == Approx(9.5).margin(1));
  CHECK(last.backlog_items == Approx(10 * 100).epsilon(0.2));
}

TEST_CASE("cameras need their places whatever they bring") {
  auto what = plain(camera_fleet(90, 0.5, 600, 1 / 3.0, 1), 3);
  for (auto& c : what.demand.cameras) c = {0, 600};
  what.streams_per_worker = 30;
  signals half_way;
  const auto run = [&] {
    return test::simulate(what, [&](const signals& s) {
      if (s.at.time_since_epoch() <= std::chrono::seconds{300}) half_way = s;
      return 3;
    });
  };
  const auto r = run();
  CHECK(half_way.live_streams == 90);
  CHECK(half_way.streams_per_worker == 30);
  CHECK(half_way.backlog_items == 0);
  CHECK(r.within_share() == 1);
  what.streams_per_worker = 20; // thirty of them find no worker
  const auto short_of = run();
  CHECK(half_way.backlog_items > 10);
  CHECK(short_of.within_share() == Approx(2.0 / 3).epsilon(0.05));
}

TEST_CASE("each frame is a segment of its own, which the core leases, sends, closes and delivers") {
  auto what = plain(camera_fleet(500, 1, 60, 1, 1), 50);
  what.streams_per_worker = 10;
  const auto r = simulate_fixed(what);
  const std::uint64_t frames = 500 * 60;
  CHECK(r.arrived == frames);
  CHECK(r.finished == frames);
  CHECK(r.leases == frames);
  CHECK(r.events >= 4 * frames); // an opening, a packet, an end and a result of each
}

TEST_CASE("what is lost with its worker is leased again") {
  auto what = plain(steady(60, 1800), 6);
  what.machines.boot_from_s = what.machines.boot_to_s = 30;
  what.machines.spot_life_s = 300;
  what.machines.notice_s = 0;
  const auto r = test::simulate(what, [](const signals&) { return 6; });
  CHECK(r.finished == r.arrived);
  CHECK(r.leases > r.arrived);
}

TEST_CASE("what cannot be simulated is refused before it begins") {
  auto what = plain(steady(10, 60), 1);
  REQUIRE(what.validate());
  SECTION("service") { what.service.batch = 0; }
  SECTION("fleet") { what.machines.fails = 2; }
  SECTION("bounds") { what.controlling.max = -1; }
  SECTION("objective") { what.objective_s = 0; }
  SECTION("deadline") { what.deadline_s = 0; }
  SECTION("interval") { what.interval_s = 0; }
  SECTION("window") { what.window_s = 1; }
  SECTION("load") { what.demand = {}; }
  const auto valid = what.validate();
  REQUIRE_FALSE(valid);
}
