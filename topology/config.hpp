#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "topology/http_config.hpp"
#include "topology/limits_config.hpp"
#include "topology/nodes_config.hpp"
#include "topology/results_config.hpp"
#include "topology/scaling_config.hpp"
#include "topology/stages_config.hpp"
#include "topology/streams_config.hpp"

namespace penstock::topology {

/// A whole topology file, validated. Paths are relative to the working directory. The members have the names of the
/// file's keys; docs/topology.md explains each.
struct config {
  std::string pipeline = "penstock";
  std::vector<stream_config> streams{};
  stages_config stages{};
  tracking_config tracking{};
  std::vector<sink_config> sinks{};
  std::filesystem::path checkpoint{}; ///< folder that tells the next life of a head where to go on; empty: none
  std::filesystem::path quarantine = "quarantine"; ///< folder for segments that were given up; empty: not kept
  dispatch_config dispatch{};
  live_config live{};
  media_config media{};
  shutdown_config shutdown{};
  limits_config limits{};
  metrics_config metrics{};
  std::vector<node_config> nodes{}; ///< empty: everything in one process
  http_config http{};
  security_config security{};
  std::optional<jobs_config> jobs{};
  std::optional<scaling_config> scaling{};

  bool operator==(const config&) const = default;
};

} // namespace penstock::topology
