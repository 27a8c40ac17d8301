#pragma once

#include <memory>
#include <thread>

#include "actors/node.hpp"
#include "cli/pipeline.hpp"
#include "cli/scaling_loop.hpp"
#include "core/error.hpp"
#include "scaling/from_topology.hpp"
#include "scaling/scaler.hpp"
#include "topology/load.hpp"

namespace penstock::cli {

/// The controller inside a head (`scaling: {enabled: true}`): on a thread of its own, with the head's own metrics and
/// workers. Ends before the node does.
class head_scaling {
 public:
  /// `node` outlives it. Errors: `bad_config`, which begins with the key; those of the fleet and of the stores.
  [[nodiscard]] static core::expected<std::unique_ptr<head_scaling>>
  start(const topology::loaded& topology, const topology_arguments& from, actors::node& node);

  /// Decides no more; the fleet stays as it is. Does not wait.
  void stop() { thread_.request_stop(); }

 private:
  head_scaling(scaling::scaler scaler, round_teller teller, const scaling::scaling_plan& plan);

  scaling::scaler scaler_;
  round_teller teller_;
  std::jthread thread_; ///< last: it ends first
};

} // namespace penstock::cli
