#include "scaling/azure/custom_metrics.hpp"

#include <limits>

#include "scaling/fleet/fleets.hpp"
#include "tests/unit/scaling_fleet/rig.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using scaling::azure::custom_metrics;
using scaling::azure::custom_metrics_options;
using test::azure_server;
using test::holds;
using test::take;

namespace {

std::unique_ptr<custom_metrics> metrics_of(azure_server& azure) {
  custom_metrics_options options;
  options.endpoint = azure.address();
  options.resource_id = azure_server::resource_id;
  take(options.validate());
  auto http = std::make_shared<jobs::azure::http_client>();
  auto let_in = jobs::azure::make_managed_identity(azure.address(), "", "https://monitoring.azure.com/", http);
  jobs::azure::retry_rules rules;
  rules.whole = 5s;
  rules.pause = [&azure](std::chrono::milliseconds time) { azure.advance(time); };
  return std::make_unique<custom_metrics>(options, let_in, http, rules, [&azure] { return azure.calendar(); });
}

} // namespace

TEST_CASE("a minute's values of a metric are one request, summed up for each role") {
  azure_server azure;
  const auto metrics = metrics_of(azure);
  for (const auto value : {4.0, 7.0, 5.0}) {
    metrics->add("wanted_workers", "worker", value);
    take(metrics->flush());
    azure.advance(15s);
  }
  metrics->add("wanted_workers", "preprocess", 2);
  metrics->add("wanted_workers", "preprocess", std::numeric_limits<double>::quiet_NaN());
  CHECK(azure.metrics().empty());
  azure.advance(15s);
  take(metrics->flush());
  REQUIRE(azure.metrics().size() == 1);
  const auto data = azure.metrics()[0].at("data").at("baseData");
  CHECK(azure.metrics()[0].at("time") == "2026-03-01T00:01:00Z");
  CHECK(data.at("metric") == "wanted_workers");
  CHECK(data.at("namespace") == "Penstock");
  CHECK(data.at("dimNames") == nlohmann::json{"role"});
  const auto expected = nlohmann::json::parse(R"([
    {"dimValues": ["preprocess"], "min": 2.0, "max": 2.0, "sum": 2.0, "count": 1},
    {"dimValues": ["worker"], "min": 4.0, "max": 7.0, "sum": 16.0, "count": 3}])");
  CHECK(data.at("series") == expected);
  azure.advance(60s);
  take(metrics->flush()); // nothing came
  CHECK(azure.metrics().size() == 1);
}

TEST_CASE("a clock that is off is put right by what Azure's answer says, so that the values are taken") {
  for (const auto ahead : {-3h, 3h}) {
    test::azure_behaviour behaviour;
    behaviour.ahead = ahead;
    azure_server azure{behaviour};
    const auto metrics = metrics_of(azure);
    metrics->add("wanted_workers", "worker", 1);
    azure.advance(60s);
    take(metrics->flush());
    CHECK(azure.metrics().size() == 1);
    metrics->add("wanted_workers", "worker", 1);
    azure.advance(60s);
    take(metrics->flush());
    CHECK(azure.metrics().size() == 2);
    CHECK(azure.count("/metrics ") == 3);
  }
}

TEST_CASE("advice changes nothing: it is told, up and down, and what Azure Monitor refuses is a problem and no error") {
  azure_server azure;
  const auto fleet = scaling::make_advise({}, metrics_of(azure));
  take(fleet->set_target(4));
  CHECK(take(fleet->observe()) == scaling::fleet_state{4, {}});
  take(fleet->set_target(2));
  CHECK(take(fleet->observe()).target == 2);
  const auto refused = fleet->retire({"1"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == core::errc::unsupported);
  azure.answer_next("/metrics ", std::vector<std::string>(2, test::http_answer(403, "", R"({"error": {"code":
                                 "AuthorizationFailed", "message": "no role"}})")));
  azure.advance(60s);
  take(fleet->observe());
  CHECK(holds(test::problems_of(*fleet), "metric wanted_workers: not let in"));
  CHECK(azure.count("PATCH") == 0);
}

TEST_CASE("advice that holds is told in every minute") {
  azure_server azure;
  const auto fleet = scaling::make_advise({}, metrics_of(azure));
  take(fleet->observe());
  azure.advance(60s);
  take(fleet->observe());
  CHECK(azure.metrics().empty()); // nothing was wanted yet
  take(fleet->set_target(7));
  CHECK(azure.metrics().size() == 1);
  for (std::size_t minute = 2; minute <= 4; ++minute) {
    azure.advance(60s);
    take(fleet->observe());
    REQUIRE(azure.metrics().size() == minute);
    CHECK(azure.metrics().back().at("data").at("baseData").at("series").at(0).at("max") == 7);
  }
}

TEST_CASE("a fleet is opened by the name of its kind") {
  CHECK(scaling::fleet_kinds() == std::vector<std::string_view>{"process", "vmss", "exec", "advise"});
  scaling::fleet_options options;
  options.kind = "advise";
  CHECK(take(scaling::open_fleet(options))->kind() == "advise");
  options.kind = "exec";
  CHECK(scaling::open_fleet(options).error().message == "exec.command: names no program");
  options.exec.command = {"true"};
  CHECK(take(scaling::open_fleet(options))->kind() == "exec");
  options.kind = "vmss";
  options.vmss.resource_id = azure_server::resource_id;
  CHECK(take(scaling::open_fleet(options))->kind() == "vmss");
  options.kind = "ecs";
  const auto refused = scaling::open_fleet(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == core::errc::unsupported);
  CHECK(refused.error().message == "fleet: \"ecs\" is no kind of fleet; there are process, vmss, exec, advise");
  CHECK(scaling::validate(options).error() == refused.error());
}
