#pragma once

#include <array>
#include <mutex>
#include <string>

#include "actors/node.hpp"
#include "actors/recent.hpp"
#include "gateway/api.hpp"
#include "topology/config.hpp"

namespace penstock::front {

/// GET /v1/state: what the console and `penstock top` show. `node` outlives it.
class state_door final : public gateway::state_api {
 public:
  state_door(actors::node& node, const topology::config& topology, std::string version);

  void state(std::stop_token gone, gateway::completion<gateway::state_view> done) override;

 private:
  struct seen_stage {
    metrics::stage_series series;
    actors::recent_rate items;
    actors::recent_rate busy_us;
  };

  actors::node& node_;
  gateway::state_view fixed_;       ///< what does not change
  std::vector<std::string> stages_; ///< of workers
  core::time_point began_ = core::clock::now();
  unsigned cores_;
  std::mutex mutex_;
  std::array<seen_stage, metrics::all_stages.size()> seen_;
};

} // namespace penstock::front
