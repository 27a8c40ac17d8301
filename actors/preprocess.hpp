#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <cstddef>
#include <memory>
#include <vector>

#include "actors/messages.hpp"
#include "kernels/preprocess.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// Brings decoded frames into tensor slots: resized, converted and normalised in one pass.
using preprocess_actor = caf::typed_actor<caf::reacts_to<frame_task>>;

struct preprocess_config {
  kernels::preprocess_spec spec;
  std::shared_ptr<tensor_ring> ring;
  metrics::stage_series metrics;
};

struct preprocess_state {
  static inline const char* name = "preprocess";

  /// The filled slot, or why the frame cannot be brought into one (`unsupported`).
  [[nodiscard]] core::expected<filled_slot> run(const frame_task& task);

  preprocess_config config;

 private:
  core::expected<const kernels::preprocess_plan*> plan_for(const core::frame_view& frame);

  std::vector<kernels::preprocess_plan> plans_; ///< most recently used first
  std::vector<std::byte> workspace_;
};

preprocess_actor::behavior_type preprocess(preprocess_actor::stateful_pointer<preprocess_state> self,
                                           const preprocess_config& config, const slot_taker& next,
                                           const outcome_inbox& worker);

} // namespace penstock::actors
