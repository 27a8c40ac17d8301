#include "scaling/from_topology.hpp"

#include "tests/catch.hpp"

using namespace std::chrono_literals;
using namespace penstock;
using namespace penstock::scaling;

namespace {

topology::config fleet_of(topology::fleet_kind kind = topology::fleet_kind::advise) {
  using topology::stage;
  topology::config config;
  config.nodes.resize(2);
  config.nodes[0].role = "head";
  config.nodes[0].stages = {stage::source, stage::collector};
  config.nodes[0].http = "0.0.0.0:8080";
  config.nodes[1].role = "worker";
  config.nodes[1].stages = {stage::decode, stage::preprocess, stage::inference, stage::postprocess};
  config.nodes[1].scale = {2, 20};
  config.scaling.emplace().fleet = kind;
  return config;
}

} // namespace

TEST_CASE("a topology's defaults are those of the room", "[scaling][plan]") {
  const auto plan = plan_of(fleet_of(), {});
  REQUIRE(plan);
  const rate_options rate;
  CHECK(plan->policy.rate.target_utilisation == rate.target_utilisation);
  CHECK(plan->policy.rate.objective == rate.objective);
  CHECK(plan->policy.rate.drain_time == rate.drain_time);
  CHECK(plan->policy.rate.boot_time == rate.boot_time);
  CHECK(plan->policy.rate.level_window == rate.level_window);
  CHECK(plan->policy.rate.trend_window == rate.trend_window);
  CHECK(plan->policy.rate.trend_certainty == rate.trend_certainty);
  CHECK(plan->policy.rate.most_growth == rate.most_growth);
  CHECK(plan->policy.rate.burst_share == rate.burst_share);
  CHECK(plan->policy.rate.late_limit == rate.late_limit);
  CHECK(plan->policy.rate.stable_for == rate.stable_for);
  CHECK(plan->policy.rate.step_every == rate.step_every);
  CHECK(plan->policy.rate.step == rate.step);
  CHECK(plan->policy.rate.hysteresis == rate.hysteresis);
  CHECK(plan->policy.rate.memory == rate.memory);
  CHECK(plan->policy.rate.envelope_quantile == rate.envelope_quantile);
  CHECK(plan->policy.rate.outage_grace == rate.outage_grace);
  CHECK(plan->policy.threshold.out == threshold_options{}.out);
  CHECK(plan->policy.threshold.in == threshold_options{}.in);
  const controller_options controlling;
  CHECK(plan->controlling.max_step == controlling.max_step);
  CHECK(plan->controlling.stale_after == controlling.stale_after);
  CHECK(plan->controlling.drain_timeout == controlling.drain_timeout);
  CHECK(plan->controlling.boot_limit == controlling.boot_limit);
  CHECK(plan->controlling.allocation_patience == controlling.allocation_patience);
  CHECK(plan->controlling.ask_again_after == controlling.ask_again_after);
  CHECK(plan->controlling.repeat_after == controlling.repeat_after);
}

TEST_CASE("bounds are the role's, and the door is the head's as this machine reaches it", "[scaling][plan]") {
  auto config = fleet_of();
  auto plan = plan_of(config, {});
  REQUIRE(plan);
  CHECK(plan->role == "worker");
  CHECK(plan->controlling.min == 2);
  CHECK(plan->controlling.max == 20);
  CHECK(plan->head.url == "http://127.0.0.1:8080");
  CHECK(plan->heads.urls == std::vector<std::string>{"http://127.0.0.1:8080"});
  CHECK_FALSE(plan->controlling.names_instances); // advise takes a number
  config.scaling->heads = {"https://a", "https://b"};
  config.http.tls.certificate = "cert.pem";
  plan = plan_of(config, {});
  REQUIRE(plan);
  CHECK(plan->heads.urls == config.scaling->heads);
  CHECK(door_of(config) == "https://127.0.0.1:8080");
}

TEST_CASE("processes run what the caller says, unless the topology says it", "[scaling][plan]") {
  auto config = fleet_of(topology::fleet_kind::process);
  auto plan = plan_of(config, {"", "", {"program", "{name}"}});
  REQUIRE(plan);
  CHECK(plan->fleet.kind == "process");
  CHECK(plan->fleet.process.command == std::vector<std::string>{"program", "{name}"});
  config.scaling->process.command = {"other", "--name={name}"};
  plan = plan_of(config, {"", "", {"program", "{name}"}});
  REQUIRE(plan);
  CHECK(plan->fleet.process.command == config.scaling->process.command);
}

TEST_CASE("days of a schedule are those that were named", "[scaling][plan]") {
  auto config = fleet_of();
  config.scaling->policies = {"schedule"};
  config.scaling->schedule.utc_offset = 60min;
  config.scaling->schedule.entries = {
      {.days = {topology::weekday::sun, topology::weekday::sat}, .from = 8h, .to = 20h, .workers = 7}};
  const auto plan = plan_of(config, {});
  REQUIRE(plan);
  REQUIRE(plan->policy.schedule.entries.size() == 1);
  const auto& entry = plan->policy.schedule.entries[0];
  CHECK(entry == schedule_entry{{true, false, false, false, false, false, true}, 480min, 1200min, 7});
  const auto made = policies_of(*plan);
  REQUIRE(made);
  REQUIRE(made->size() == 1);
  CHECK(made->front()->name() == "schedule");
}

TEST_CASE("rules of thresholds keep their meaning", "[scaling][plan]") {
  auto config = fleet_of();
  using topology::threshold_metric;
  using topology::threshold_operator;
  config.scaling->threshold.out = {
      {threshold_metric::late_share, threshold_operator::at_most, 0.5, 60s, 30s, 4},
      {threshold_metric::oldest, threshold_operator::at_least, 9, 1s, 2s, 1},
  };
  const auto plan = plan_of(config, {});
  REQUIRE(plan);
  const auto& out = plan->policy.threshold.out;
  REQUIRE(out.size() == 2);
  CHECK(to_string(out[0].metric) == "late_share");
  CHECK(to_string(out[0].compare) == "at_most");
  CHECK(out[0].duration == 60s);
  CHECK(out[0].cooldown == 30s);
  CHECK(out[0].step == 4);
  CHECK(to_string(out[1].metric) == "oldest");
  CHECK(to_string(out[1].compare) == "at_least");
}

TEST_CASE("what is wrong begins with its key", "[scaling][plan]") {
  auto config = fleet_of(topology::fleet_kind::vmss);
  auto plan = plan_of(config, {});
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code == core::errc::bad_config);
  CHECK(plan.error().message.starts_with("scaling: vmss.resource_id: "));
  config.scaling.reset();
  plan = plan_of(config, {});
  REQUIRE_FALSE(plan);
  CHECK(plan.error().message.starts_with("scaling: is missing"));
}
