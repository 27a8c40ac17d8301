#include "cli/head_scaling.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "cli/scaling_parts.hpp"
#include "topology/check_scaling.hpp"

namespace penstock::cli {

namespace {

/// As `GET /v1/state` tells.
scaling::worker_stage stage_of(const actors::worker_report& worker) {
  constexpr core::seconds silence{5};
  if (worker.heard && *worker.heard > silence) return scaling::worker_stage::lost;
  switch (worker.phase) {
  case core::worker_phase::warming: return scaling::worker_stage::warming;
  case core::worker_phase::ready: return scaling::worker_stage::ready;
  case core::worker_phase::draining: return scaling::worker_stage::draining;
  }
  return scaling::worker_stage::joining;
}

/// The workers of the head of this process.
class own_workers final : public scaling::workforce {
 public:
  own_workers(actors::node& node, std::string role) : node_{node}, role_{std::move(role)} {}

  core::expected<std::vector<scaling::worker_view>> observe() override {
    std::vector<scaling::worker_view> all;
    for (const auto& each : node_.report().workers) {
      if (each.role != role_ || !each.heard) continue;
      all.push_back({each.name, stage_of(each), static_cast<int>(each.bulk + each.live + each.requests)});
    }
    return all;
  }

  core::expected<void> drain(const std::string& worker) override {
    static_cast<void>(node_.drain_worker(worker)); // one that is gone has left
    return {};
  }

 private:
  actors::node& node_;
  std::string role_;
};

/// Where processes of this machine dial.
std::string local_address(const actors::node& node) {
  auto address = node.address();
  constexpr std::string_view everywhere = "tcp://0.0.0.0:";
  if (address.starts_with(everywhere)) address.replace(0, everywhere.size(), "tcp://127.0.0.1:");
  return address;
}

} // namespace

head_scaling::head_scaling(scaling::scaler scaler, round_teller teller, const scaling::scaling_plan& plan)
    : scaler_{std::move(scaler)}, teller_{std::move(teller)},
      thread_{[this, interval = plan.interval,
               keep_every = std::chrono::duration_cast<std::chrono::milliseconds>(plan.lease / 4)](
                  const std::stop_token& stop) { run_scaling(scaler_, teller_, interval, keep_every, stop); }} {}

core::expected<std::unique_ptr<head_scaling>> head_scaling::start(const topology::loaded& topology,
                                                                  const topology_arguments& from, actors::node& node) {
  const auto* role = topology::scaled_role(topology.config);
  const auto plan = plan_scaling(
      topology, worker_command(from.file, from.overrides, role == nullptr ? "" : role->role, local_address(node)));
  if (!plan) return tl::unexpected{plan.error()};
  scaling::scaler_parts parts;
  if (plan->reads_prometheus) {
    auto source = open_source(*plan);
    if (!source) return tl::unexpected{source.error()};
    parts.source = std::move(*source);
  } else {
    parts.source =
        scaling::make_head(plan->head, [&node]() -> core::expected<std::string> { return node.metrics().expose(); });
  }
  if (topology.config.scaling->heads.empty()) {
    parts.workers = std::make_unique<own_workers>(node, plan->role);
  } else { // also those of the other heads
    auto workers = open_workforce(*plan);
    if (!workers) return tl::unexpected{workers.error()};
    parts.workers = std::move(*workers);
  }
  auto lead = open_leader(topology.config, *plan);
  if (!lead) return tl::unexpected{lead.error()};
  parts.lead = std::move(*lead);
  auto machines = open_fleet(plan->fleet);
  if (!machines) return core::fail("scaling", machines.error());
  parts.machines = std::move(*machines);
  parts.policies = [plan = *plan] { return policies_of(plan); };
  parts.shown = node.metrics().scaling(plan->role);
  auto events = event_file::open("");
  if (!events) return tl::unexpected{events.error()};
  return std::unique_ptr<head_scaling>{new head_scaling{scaling::scaler{plan->controlling, std::move(parts)},
                                                        round_teller{plan->role, std::move(*events)}, *plan}};
}

} // namespace penstock::cli
