#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/worker_figures.hpp"
#include "dispatch/pool_meter.hpp"
#include "metrics/families.hpp"
#include "topology/nodes_config.hpp"

namespace penstock::actors {

/// The role of the stages of a process that runs the whole topology.
inline constexpr const char* role_without_name = "local";

/// The signals of one role of workers.
struct pool_report {
  std::string role;
  dispatch::pool_figures figures;
};

/// The roles of a topology that work, each measured and shown in metrics.
class pools {
 public:
  /// `own_role`: of this process; empty where it runs the whole topology, in which the roles are of no account.
  pools(const std::vector<topology::node_config>& nodes, const std::string& own_role, metrics::registry& metrics);

  /// What is told of other roles is passed over.
  void heard(const std::string& role, const std::string& worker, const core::worker_figures& figures,
             core::time_point now);
  void gone(const std::string& role, const std::string& worker, bool lost, core::time_point now);

  /// Measures all of them, and shows what it found. To be called several times a second. `places`: of roles that take
  /// leases.
  [[nodiscard]] std::vector<pool_report> measure(const dispatch::pool_counts& counts, const dispatch::pool_load& load,
                                                 const std::map<std::string, dispatch::pool_places>& places,
                                                 core::time_point now);

 private:
  struct pool {
    std::vector<core::stage> stages;
    bool takes_leases = false;
    dispatch::pool_meter meter;
    metrics::pool_series series;
  };

  static void show(const pool& p, const dispatch::pool_figures& figures);

  std::map<std::string, pool> pools_;
};

} // namespace penstock::actors
