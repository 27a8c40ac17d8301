#pragma once

#include <string>
#include <vector>

#include "core/error.hpp"
#include "scaling/from_topology.hpp"
#include "scaling/scaler.hpp"
#include "topology/load.hpp"

namespace penstock::cli {

/// The plan of a topology, with tokens from files or the environment. `own_command`: for workers that are started as
/// processes of this machine, where the topology has none. Error: `bad_config`, which begins with the key.
[[nodiscard]] core::expected<scaling::scaling_plan> plan_scaling(const topology::loaded& topology,
                                                                 const std::vector<std::string>& own_command);

/// This program's `worker` with a topology file: what a fleet of processes runs unless told otherwise.
[[nodiscard]] std::vector<std::string> worker_command(const std::string& file,
                                                      const std::vector<std::string>& overrides,
                                                      const std::string& role, const std::string& head);

/// Where signals come from over the network. Error: `bad_config`.
[[nodiscard]] core::expected<scaling::source_ptr> open_source(const scaling::scaling_plan& plan);

/// The workers of the plan's heads. Error: `bad_config`.
[[nodiscard]] core::expected<scaling::workforce_ptr> open_workforce(const scaling::scaling_plan& plan);

/// The rule of who leads, by the stores of the topology's `jobs`; null where it has none, or where the fleet only takes
/// a number. Errors: the stores'.
[[nodiscard]] core::expected<std::unique_ptr<scaling::leader>> open_leader(const topology::config& config,
                                                                           const scaling::scaling_plan& plan);

} // namespace penstock::cli
