#pragma once

#include <array>
#include <caf/typed_event_based_actor.hpp>
#include <cstdint>
#include <memory>

#include "actors/preprocess.hpp"
#include "actors/stage_items.hpp"

namespace penstock::actors {

/// Turns items from the link into what the stages of this process take.
using stage_intake_actor = caf::typed_actor<caf::reacts_to<stage_task>>;

struct frame_intake_state {
  static inline const char* name = "frame_intake";
  item_reader reader{{}};
};

/// `arriving`: of preprocess, whose queue it fills.
stage_intake_actor::behavior_type frame_intake(stage_intake_actor::stateful_pointer<frame_intake_state> self,
                                               const media::decode_options& decode,
                                               const metrics::stage_series& arriving, const preprocess_actor& next,
                                               const outcome_inbox& gate);

struct tensor_intake_config {
  std::shared_ptr<tensor_ring> ring;
  std::array<std::int64_t, 4> shape{}; ///< of one image
  core::element_type type = core::element_type::f32;
};

stage_intake_actor::behavior_type tensor_intake(stage_intake_actor::pointer self, const tensor_intake_config& config,
                                                const slot_taker& next, const outcome_inbox& gate);

} // namespace penstock::actors
