#include <cstdlib>
#include <filesystem>
#include <memory>

#include "scaling/policy/policies.hpp"
#include "scaling/simulator/optimum.hpp"
#include "scaling/simulator/trace.hpp"
#include "tests/catch.hpp"
#include "tests/unit/scaling/fluid.hpp"

using namespace penstock;
using namespace penstock::scaling;
using namespace penstock::scaling::test;

namespace {

/// Items a second that keep twenty workers busy.
constexpr double twenty = 600;

fluid_result with_rate(const load& arrivals, const fluid_options& how = {.workers = 25}) {
  std::vector<policy_ptr> policies;
  policies.push_back(make_policy("rate", {}, {}).value());
  controller decider{{.min = 1, .max = 200, .max_step = 100}, std::move(policies)};
  auto out = flow(arrivals, decider, how);
  CHECK(out.early_retirements == 0);
  return out;
}

double times_the_optimum(const fluid_result& got, const load& arrivals) {
  simulator::optimum_problem problem;
  problem.patience_s = 3; // as that of the table in docs/scaling.md
  for (const auto items : arrivals) problem.work.push_back(items / fluid_options{}.service_per_s);
  return got.instance_s / simulator::find_optimum(problem).value().bound_s;
}

} // namespace

TEST_CASE("on the real trace items are in time at little more than a clairvoyant's cost", "[scaling]") {
  const auto* shared = std::getenv("PENSTOCK_SHARED");
  const auto file = std::filesystem::path{shared != nullptr ? shared : "../shared"} / "traces/azure-llm-2023-conv.csv";
  if (!std::filesystem::exists(file)) {
    WARN("skipped: " << file.string() << " does not exist; set PENSTOCK_SHARED");
    return;
  }
  const auto trace = scaled_to(simulator::read_trace(file).value().arrivals, twenty);
  const auto got = with_rate(trace);
  INFO("late " << got.late_share << ", instances " << got.mean_instances);
  CHECK(got.late_share <= 0.01);
  CHECK(times_the_optimum(got, trace) <= 1.25);
  CHECK(got.changes_per_h <= 4);
}

TEST_CASE("a steady Poisson load moves nothing", "[scaling]") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    const auto got = with_rate(poisson(steady(twenty, 4 * 3600), seed));
    CHECK(got.late_share == 0);
    CHECK(got.changes_per_h <= 0.5);
    CHECK(got.mean_instances <= 1.25 * 20.3);
  }
}

TEST_CASE("a small fleet under a steady load does not flap", "[scaling]") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    for (const double workers : {0.3, 0.85, 0.95, 1.7, 3.6}) {
      const auto got =
          with_rate(poisson(steady(30 * workers, 4 * 3600), seed), {.workers = static_cast<int>(workers) + 2});
      INFO("work for " << workers);
      CHECK(got.changes_per_h <= 1);
      CHECK(got.late_share <= 0.01);
    }
  }
}

TEST_CASE("a day is followed", "[scaling]") {
  const auto day = poisson(diurnal(twenty, 86'400, 0.6, 86'400), 2);
  const auto got = with_rate(day, {.workers = 12});
  INFO("late " << got.late_share << ", instances " << got.mean_instances);
  CHECK(got.late_share <= 0.01);
  CHECK(got.mean_instances <= 1.25 * 20.3);
  CHECK(got.changes_per_h <= 4);
}

TEST_CASE("bursts that are shorter than a boot keep their workers once they have been seen", "[scaling]") {
  const auto arrivals = poisson(bursts(twenty, 1.5, 4 * 3600, 3), 3);
  const auto got = with_rate(arrivals);
  INFO("late " << got.late_share << ", instances " << got.mean_instances);
  CHECK(got.late_share <= 0.06);
  CHECK(got.changes_per_h <= 5);
}

TEST_CASE("a flash crowd is late until instances have booted, and no longer", "[scaling]") {
  const auto arrivals = poisson(flash_crowd(twenty / 1.5, 2, 1800, 30, 3 * 3600), 4);
  const auto got = with_rate(arrivals, {.workers = 18});
  INFO("late " << got.late_share << ", instances " << got.mean_instances);
  // Six minutes at three times the usual rate, of three hours.
  CHECK(got.late_share <= 0.09);
  CHECK(got.changes_per_h <= 1);
}

TEST_CASE("with instances that boot in seconds even a flash crowd is in time", "[scaling]") {
  const auto arrivals = poisson(flash_crowd(twenty / 1.5, 2, 1800, 120, 3 * 3600), 4);
  const auto got = with_rate(arrivals, {.boot = core::seconds{5}, .workers = 18});
  INFO("late " << got.late_share << ", instances " << got.mean_instances);
  CHECK(got.late_share <= 0.03);
}
