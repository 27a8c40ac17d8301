#pragma once

#include <caf/typed_event_based_actor.hpp>

#include "actors/messages.hpp"
#include "inference/head.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// Turns the model's outputs into objects in source pixels.
using postprocess_actor = caf::typed_actor<caf::reacts_to<output_task>>;

struct postprocess_config {
  inference::head_ptr head;
  metrics::stage_series metrics;
};

struct postprocess_state {
  static inline const char* name = "postprocess";

  /// The outcome of one item; a head that cannot read the outputs makes it `engine_error`.
  [[nodiscard]] core::frame_outcome run(const output_task& task, std::size_t item);

  postprocess_config config;
};

postprocess_actor::behavior_type postprocess(postprocess_actor::stateful_pointer<postprocess_state> self,
                                             const postprocess_config& config, const outcome_inbox& worker);

} // namespace penstock::actors
