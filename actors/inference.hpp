#pragma once

#include <caf/typed_event_based_actor.hpp>

#include "actors/batcher.hpp"
#include "actors/postprocess.hpp"
#include "inference/engine.hpp"

namespace penstock::actors {

struct inference_config {
  inference::session_ptr session;
  metrics::stage_series metrics;
  metrics::inference_series batches;
  metrics::stage_series next_metrics; ///< of postprocess, whose queue it fills
};

struct inference_state {
  static inline const char* name = "inference";

  /// Runs a batch. One that fails is tried image by image, so that a bad one costs no other; frames the engine fails
  /// on alone come back as outcomes with `engine_error`.
  void run(const batch_task& task, std::vector<output_task>& outputs, std::vector<core::frame_outcome>& failed);

  inference_config config;
};

inference_actor::behavior_type infer(inference_actor::stateful_pointer<inference_state> self,
                                     const inference_config& config, const batcher_actor& batches,
                                     const postprocess_actor& next, const outcome_inbox& worker);

} // namespace penstock::actors
