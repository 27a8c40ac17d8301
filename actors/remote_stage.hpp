#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <memory>
#include <optional>

#include "actors/messages.hpp"
#include "actors/stage_link.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// The next stage on other machines, with the handle of a local one: packs what it is sent for the link.
using remote_stage_actor = caf::typed_actor<caf::reacts_to<frame_task>, caf::reacts_to<filled_slot>>;

struct remote_stage_config {
  std::optional<int> jpeg_quality;   ///< none: frames go as they are
  std::shared_ptr<tensor_ring> ring; ///< of the slots, each a batch of its own; null where frames are sent
  metrics::stage_series metrics;     ///< of the stage that it stands for
};

struct remote_stage_state {
  static inline const char* name = "remote_stage";

  /// The frame as an item, or why there is none.
  [[nodiscard]] core::expected<stage_item> pack(const frame_task& task) const;

  remote_stage_config config;
};

remote_stage_actor::behavior_type remote_stage(remote_stage_actor::stateful_pointer<remote_stage_state> self,
                                               const remote_stage_config& config, const stage_link_actor& link,
                                               const outcome_inbox& worker);

} // namespace penstock::actors
