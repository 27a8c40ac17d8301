#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "scaling/controller.hpp"
#include "scaling/fleet/fleets.hpp"
#include "scaling/policy/policies.hpp"
#include "scaling/source/head.hpp"
#include "scaling/source/heads.hpp"
#include "scaling/source/prometheus.hpp"
#include "topology/config.hpp"

namespace penstock::scaling {

/// What a topology does not say.
struct plan_extras {
  std::string head_token; ///< of the heads' doors
  std::string prometheus_token;
  std::vector<std::string> worker_command; ///< for processes, where the topology has none
};

/// What a topology says of scaling, in the words of this room.
struct scaling_plan {
  std::string role;
  controller_options controlling;
  std::vector<std::string> policies; ///< names
  policy_options policy;
  fleet_options fleet;
  bool reads_prometheus = false;
  head_options head;
  prometheus_options prometheus;
  heads_options heads; ///< `urls` is empty where nobody's address is known
  std::chrono::milliseconds interval{0};
  core::seconds lease{0};
};

/// Error: `bad_config`, which begins with the key ("scaling.vmss: …").
[[nodiscard]] core::expected<scaling_plan> plan_of(const topology::config& config, const plan_extras& extras);

/// The policies of a plan, without anything that they remember. Error: `bad_config`.
[[nodiscard]] core::expected<std::vector<policy_ptr>> policies_of(const scaling_plan& plan);

/// Address of the door of a topology's head, as this machine reaches it; empty where it has none.
[[nodiscard]] std::string door_of(const topology::config& config);

} // namespace penstock::scaling
