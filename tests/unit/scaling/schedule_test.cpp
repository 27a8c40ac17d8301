#include "scaling/policy/schedule.hpp"

#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::scaling;
using namespace std::chrono_literals;

namespace {

/// Wednesday, 1 May 2024, at midnight in Greenwich.
constexpr std::chrono::sys_seconds wednesday = std::chrono::sys_days{std::chrono::year{2024} / 5 / 1};

constexpr std::array<bool, 7> working_days{false, true, true, true, true, true, false};

/// What is wanted at a moment of the calendar.
int wanted(const schedule_options& options, std::chrono::sys_seconds at, core::seconds boot = 1s) {
  const core::time_point now{100h};
  schedule_policy policy{options,
                         [&](core::time_point asked) { return asked == now ? at : std::chrono::sys_seconds{}; }};
  signals seen;
  seen.at = now;
  seen.boot = boot;
  return policy.propose(seen).workers;
}

} // namespace

TEST_CASE("a minimum holds on its days between its times", "[scaling]") {
  const schedule_options options{.entries = {{.days = working_days, .from = 8h, .to = 18h, .workers = 6}}};
  CHECK(wanted(options, wednesday + 7h + 59min) == 0);
  CHECK(wanted(options, wednesday + 8h) == 6);
  CHECK(wanted(options, wednesday + 18h - 1s) == 6);
  CHECK(wanted(options, wednesday + 18h) == 0);
  CHECK(wanted(options, wednesday + std::chrono::days{3} + 12h) == 0); // Saturday
  CHECK(wanted(options, wednesday + std::chrono::days{5} + 12h) == 6); // Monday
}

TEST_CASE("an entry past midnight belongs to the day on which it begins, also at the end of the week", "[scaling]") {
  const schedule_options options{
      .entries = {{.days = {false, false, false, false, false, false, true}, .from = 22h, .to = 2h, .workers = 3}}};
  const auto saturday = wednesday + std::chrono::days{3};
  CHECK(wanted(options, saturday + 21h) == 0);
  CHECK(wanted(options, saturday + 22h) == 3);
  CHECK(wanted(options, saturday + 25h) == 3);
  CHECK(wanted(options, saturday + 26h) == 0);
  CHECK(wanted(options, saturday + 1h) == 0);
}

TEST_CASE("workers are asked for a boot time early", "[scaling]") {
  const schedule_options options{.entries = {{.from = 0h, .to = 1h, .workers = 4}}};
  CHECK(wanted(options, wednesday - 241s, 240s) == 0);
  CHECK(wanted(options, wednesday - 240s, 240s) == 4);
  CHECK(wanted(options, wednesday - 240s, 0s) == 4); // not measured: the option's
}

TEST_CASE("times are those of the given offset, and the largest entry counts", "[scaling]") {
  const schedule_options options{
      .entries = {{.from = 0h, .to = 24h, .workers = 1}, {.days = working_days, .from = 8h, .to = 9h, .workers = 5}},
      .utc_offset = 120min};
  CHECK(wanted(options, wednesday + 6h) == 5);
  CHECK(wanted(options, wednesday + 8h) == 1);
}

TEST_CASE("schedules that make no sense are named", "[scaling]") {
  CHECK(schedule_options{}.validate());
  schedule_options options{.entries = {{}}};
  CHECK(options.validate());
  options.entries[0].workers = 0;
  CHECK(options.validate().error().message == "entries[0]: workers: 0 is not at least 1");
  options.entries[0] = {.from = 24h};
  CHECK(options.validate().error().message == "entries[0]: from (min): 1440 is not from 0 to 1439");
  options.entries[0] = {.days = {}};
  CHECK(options.validate().error().message == "entries[0]: days: none is named");
}
