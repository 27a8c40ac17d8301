#include "scaling/simulator/optimum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "scaling/simulator/random.hpp"
#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::scaling::simulator;

namespace {

struct outcome {
  double paid_s = 0;
  double late = 0;
};

/// What a plan pays for and what is late under it, as the contract says and nothing shared with the program.
outcome run(const optimum_problem& p, const std::vector<int>& workers) {
  outcome sum;
  double waiting = 0;
  for (std::size_t t = 0; t < workers.size(); ++t) {
    sum.paid_s += workers[t] * p.slot_s;
    if (t > 0) {
      sum.paid_s += std::max(0, workers[t] - workers[t - 1]) * p.boot_s;
      sum.late += std::clamp(waiting - workers[t] * p.objective_s, 0.0, p.work[t - 1]);
      waiting = std::min(waiting, workers[t] * p.patience_s);
    }
    waiting = std::max(0.0, waiting + p.work[t] - workers[t] * p.slot_s);
  }
  return sum;
}

/// The cheapest of all plans there are.
double try_all(const optimum_problem& p) {
  const auto allowed = p.late_share * std::accumulate(p.work.begin(), p.work.end(), 0.0);
  std::vector<int> workers(p.work.size(), 0);
  auto best = std::numeric_limits<double>::infinity();
  for (;;) {
    bool fits = true;
    for (std::size_t t = 0; t < workers.size(); ++t)
      fits = fits && workers[t] >= std::max(p.least_always, p.least.empty() ? 0 : p.least[t]);
    if (const auto o = run(p, workers); fits && o.late <= allowed + 1e-9) best = std::min(best, o.paid_s);
    std::size_t t = 0;
    while (t < workers.size() && workers[t] == p.most) workers[t++] = 0;
    if (t == workers.size()) return best;
    ++workers[t];
  }
}

/// A small problem whose work is in whole grains, so that nothing is rounded.
optimum_problem draw(std::uint64_t seed) {
  scaling::simulator::random rng{seed};
  optimum_problem p;
  p.most = 4;
  p.grain = 0.25;
  p.slot_s = rng.chance(0.5) ? 1 : 2;
  p.boot_s = std::floor(rng.uniform(0, 6));
  p.patience_s = rng.chance(0.4) ? p.objective_s : p.objective_s + 0.5 * std::floor(rng.uniform(0, 6));
  p.least_always = rng.chance(0.3) ? 1 : 0;
  const auto slots = 3 + static_cast<int>(rng.uniform(0, 4));
  for (int t = 0; t < slots; ++t) p.work.push_back(0.25 * std::floor(rng.uniform(0, 12) * p.slot_s));
  if (rng.chance(0.3)) {
    p.least.assign(p.work.size(), 0);
    p.least[rng.next() % p.least.size()] = 3;
  }
  return p;
}

} // namespace

TEST_CASE("where nothing may be late the plan is the cheapest of all plans") {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    auto p = draw(seed);
    p.late_share = 0;
    const auto found = find_optimum(p);
    const auto best = try_all(p);
    INFO("seed " << seed);
    if (std::isinf(best)) {
      REQUIRE_FALSE(found);
      REQUIRE(found.error().code == core::errc::unavailable);
      continue;
    }
    REQUIRE(found);
    REQUIRE(found->bound_s == Approx(best));
    REQUIRE(found->plan_s == Approx(best));
    const auto o = run(p, found->workers);
    REQUIRE(o.paid_s == Approx(best));
    REQUIRE(o.late == 0);
  }
}

TEST_CASE("where a share may be late the cheapest of all plans lies between the bound and the plan") {
  int exact = 0;
  int all = 0;
  for (std::uint64_t seed = 1000; seed < 1150; ++seed) {
    auto p = draw(seed);
    p.late_share = seed % 3 == 0 ? 0.01 : 0.2;
    const auto found = find_optimum(p);
    const auto best = try_all(p);
    INFO("seed " << seed);
    if (std::isinf(best)) continue;
    REQUIRE(found);
    REQUIRE(found->bound_s <= best + 1e-6);
    REQUIRE(found->plan_s >= best - 1e-6);
    const auto o = run(p, found->workers);
    REQUIRE(o.paid_s == Approx(found->plan_s));
    REQUIRE(o.late <= p.late_share * std::accumulate(p.work.begin(), p.work.end(), 0.0) + 1e-6);
    ++all;
    if (found->plan_s < best + 1e-6) ++exact;
  }
  CHECK(all > 100);
  CHECK(exact > all / 2);
}

TEST_CASE("rounding what waits only makes the bound lower") {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    scaling::simulator::random rng{seed};
    auto p = draw(seed);
    p.late_share = 0;
    for (auto& w : p.work) w += rng.uniform(0, 0.25);
    const auto best = try_all(p);
    const auto found = find_optimum(p);
    if (std::isinf(best)) continue;
    INFO("seed " << seed);
    REQUIRE(found);
    REQUIRE(found->bound_s <= best + 1e-9);
  }
}

TEST_CASE("an instance is kept over a pause that is cheaper than booting another one, and not over a longer one") {
  optimum_problem p;
  p.late_share = 0;
  p.boot_s = 10;
  p.most = 5;
  const auto with_pause = [&](std::size_t seconds) {
    p.work.assign(5, 2.0);
    p.work.insert(p.work.end(), seconds, 0.0);
    p.work.insert(p.work.end(), 5, 2.0);
    return *find_optimum(p);
  };
  const auto brief = with_pause(8);
  CHECK(std::ranges::count(brief.workers, 2) >= 8 + 6);
  const auto lengthy = with_pause(40);
  CHECK(lengthy.workers[20] == 0);
}

TEST_CASE("a burst may wait for the objective, so half of it needs no worker") {
  optimum_problem p;
  p.late_share = 0;
  p.boot_s = 1000;
  p.work = {4, 4, 8, 0, 4, 4};
  const auto found = find_optimum(p);
  REQUIRE(found);
  CHECK(*std::ranges::max_element(found->workers) == 4);
  p.work = {4, 4, 9, 0, 4, 4};
  CHECK(*std::ranges::max_element(find_optimum(p)->workers) == 5);
}

TEST_CASE("late work that stays in the queue makes what comes after it late") {
  optimum_problem p;
  p.work.assign(20, 4.0);
  p.work[5] = 12;
  p.most = 4;
  p.late_share = 0.06; // of 88: what the burst has beyond its second, and no more
  p.patience_s = 1;
  CHECK(find_optimum(p)->plan_s < 81);
  p.patience_s = 20;
  CHECK(find_optimum(p).error().code == core::errc::unavailable);
  p.most = 5;
  CHECK(find_optimum(p));
}

TEST_CASE("for a steady load the bound is the load itself, but for what may be left at the end") {
  optimum_problem p;
  p.work.assign(600, 7.0);
  p.late_share = 0;
  CHECK(find_optimum(p)->bound_s == Approx(599 * 7));
  p.late_share = 0.01; // one worker fewer makes a seventh late
  const auto found = find_optimum(p);
  CHECK(found->bound_s == Approx(600 * 7).epsilon(0.03));
  CHECK(found->bound_s <= found->plan_s);
}

TEST_CASE("a problem that makes no sense is refused") {
  optimum_problem p;
  CHECK(find_optimum(p).error().message == "optimum: no slots");
  p.work = {1, 2};
  REQUIRE(p.validate());
  SECTION("work") { p.work[1] = -1; }
  SECTION("least") { p.least = {1}; }
  SECTION("most") { p.most = 0; }
  SECTION("slot") { p.slot_s = 0.5; }
  SECTION("patience") { p.patience_s = 0.5; }
  SECTION("boot") { p.boot_s = -1; }
  SECTION("share") { p.late_share = 1; }
  SECTION("grain") { p.grain = 0; }
  CHECK(find_optimum(p).error().code == core::errc::invalid_argument);
}
