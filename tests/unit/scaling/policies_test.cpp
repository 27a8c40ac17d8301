#include "scaling/policy/policies.hpp"

#include <limits>

#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::scaling;

TEST_CASE("every policy is made by its name", "[scaling]") {
  REQUIRE(policy_names() == std::vector<std::string_view>{"rate", "threshold", "schedule"});
  for (const auto name : policy_names()) {
    const auto made = make_policy(name, {}, [](core::time_point) { return std::chrono::sys_seconds{}; });
    REQUIRE(made);
    CHECK((*made)->name() == name);
  }
}

TEST_CASE("an unknown policy and wrong options are refused in words", "[scaling]") {
  CHECK(make_policy("cpu", {}, {}).error() ==
        core::error{core::errc::not_found, "policy \"cpu\": there are rate, threshold, schedule"});
  policy_options options;
  options.rate.target_utilisation = 1.5;
  const auto refused = make_policy("rate", options, {}).error();
  CHECK(refused.code == core::errc::bad_config);
  CHECK(refused.message == "rate: target_utilisation: 1.5 is not between 0 and 1");
}

TEST_CASE("the backlog in seconds is what the ready would need for it", "[scaling]") {
  signals seen;
  CHECK(seen.backlog().count() == 0);
  seen.backlog_items = 90;
  CHECK(seen.backlog().count() == std::numeric_limits<double>::infinity());
  seen.workers.ready = 3;
  CHECK(seen.backlog().count() == std::numeric_limits<double>::infinity());
  seen.service_per_s = 10;
  CHECK(seen.backlog().count() == Approx(3));
  seen.workers.joining = 5;
  CHECK(seen.backlog().count() == Approx(3));
}
