#include "actors/pools.hpp"

#include <cmath>

#include "tests/catch.hpp"

using namespace penstock;
using namespace penstock::actors;
using namespace std::chrono_literals;

namespace {

using core::resource;
using core::stage;

std::vector<topology::node_config> cut_roles() {
  using enum topology::stage;
  topology::node_config head;
  head.role = "head";
  head.stages = {source, collector};
  topology::node_config cpu;
  cpu.role = "cpu";
  cpu.stages = {decode, preprocess};
  topology::node_config gpu;
  gpu.role = "gpu";
  gpu.stages = {inference, postprocess};
  return {head, cpu, gpu};
}

core::worker_figures figures(stage last, core::seconds age, double items_per_s, double busy) {
  const auto spent = std::chrono::round<std::chrono::microseconds>(busy * age);
  return {core::worker_phase::ready,
          {{last, static_cast<std::uint64_t>(std::llround(items_per_s * age.count())), spent, resource::cpu, 1}}};
}

} // namespace

TEST_CASE("each role that works is a pool, with series of its own stages", "[actors][pools]") {
  metrics::registry registry;
  pools all{cut_roles(), "head", registry};
  const core::time_point begin{1h};
  core::time_point now = begin;
  std::vector<pool_report> measured;
  dispatch::pool_counts counts;
  dispatch::pool_load load;
  load.backlog_items = 20;
  for (int i = 0; i <= 100; ++i, now += 500ms) {
    const core::seconds age{now - begin};
    all.heard("cpu", "c", figures(stage::preprocess, age, 10, 0.5), now);
    all.heard("gpu", "g", figures(stage::postprocess, age, 10, 0.25), now);
    all.heard("head", "h", figures(stage::decode, age, 10, 0.25), now); // it does no work
    all.heard("nobody", "n", figures(stage::decode, age, 10, 0.25), now);
    counts.arrived += 5;
    measured = all.measure(counts, load, {{"cpu", {8, 3}}}, now);
  }
  REQUIRE(measured.size() == 2);
  CHECK(measured[0].role == "cpu");
  CHECK(measured[0].figures.service_per_s == Approx(20).epsilon(0.02));
  CHECK(measured[0].figures.headroom_streams == 3);
  CHECK(measured[1].role == "gpu");
  CHECK(measured[1].figures.service_per_s == Approx(40).epsilon(0.02));
  CHECK(measured[1].figures.backlog.count() == Approx(0.5).epsilon(0.02));
  CHECK(measured[1].figures.arrivals_per_s == Approx(10).epsilon(0.05)); // each item needs both

  const auto text = registry.expose();
  const auto has = [&](const char* line) { return text.find(line) != std::string::npos; };
  CHECK(has("penstock_pool_arrived_items_total{role=\"gpu\"} 505\n"));
  CHECK(has("penstock_pool_bottleneck{role=\"gpu\",stage=\"postprocess\"} 1\n"));
  CHECK(has("penstock_pool_bottleneck{role=\"gpu\",stage=\"inference\"} 0\n"));
  CHECK(has("penstock_pool_workers{role=\"cpu\",state=\"ready\"} 1\n"));
  CHECK_FALSE(has("role=\"head\""));
  CHECK_FALSE(has("role=\"nobody\""));
  CHECK_FALSE(has("penstock_pool_bottleneck{role=\"gpu\",stage=\"decode\"}"));

  all.gone("gpu", "g", true, now);
  static_cast<void>(all.measure(counts, load, {}, now));
  CHECK(registry.expose().find("penstock_pool_workers{role=\"gpu\",state=\"lost\"} 1\n") != std::string::npos);
}

TEST_CASE("a process that runs the whole topology is one pool, whatever roles there are", "[actors][pools]") {
  metrics::registry registry;
  pools all{cut_roles(), "", registry};
  const auto measured = all.measure({}, {}, {}, core::time_point{1h});
  REQUIRE(measured.size() == 1);
  CHECK(measured[0].role == role_without_name);
}

TEST_CASE("what somebody else knows of workers that are joining stays", "[actors][pools]") {
  metrics::registry registry;
  pools all{{}, "", registry};
  const auto joining = static_cast<std::size_t>(metrics::worker_state::joining);
  registry.pool(role_without_name, core::all_stages).workers[joining].set(4);
  static_cast<void>(all.measure({}, {}, {}, core::time_point{1h}));
  CHECK(registry.pool(role_without_name, core::all_stages).workers[joining].value() == 4);
}
