#pragma once

#include <caf/fwd.hpp>
#include <memory>
#include <vector>

#include "actors/model.hpp"
#include "actors/worker.hpp"
#include "inference/batch_ring.hpp"
#include "media/decoder.hpp"
#include "metrics/families.hpp"
#include "topology/config.hpp"

namespace penstock::actors {

/// How much of everything a worker has.
struct stage_sizes {
  std::size_t cores = 1;
  std::size_t instances = 1; ///< batches under way: instances of the model, or lanes of a device
  std::size_t batch = 1;     ///< most images of one
  std::size_t credits = 2;   ///< images behind decode: in front of the engine, on a device those on it too
  std::size_t decoders = 1;
};

/// For a model in host memory: credits for the slots outside the engine.
[[nodiscard]] stage_sizes sizes_on_host(const topology::stages_config& stages, const loaded_model& model,
                                        std::size_t cores);

/// For a model on a device: credits for full lanes, two batches that wait, and a frame of each decoder.
[[nodiscard]] stage_sizes sizes_on_device(const topology::stages_config& stages, const loaded_model& model,
                                          std::size_t cores);

/// What the batches of a model on a device need there. Precondition: `model.device`.
[[nodiscard]] inference::batch_ring_config ring_config_of(const loaded_model& model, const stage_sizes& sizes);

/// What the stages of a worker are made of.
struct stage_parts {
  caf::actor_system& system;
  const topology::stages_config& stages;
  const loaded_model& model;
  stage_sizes sizes;
  media::decode_options decode;
  metrics::registry& metrics;
  head_inbox head;
};

/// A worker and its stages.
struct worker_stages {
  worker_config config;
  worker_actor worker;
  std::vector<caf::strong_actor_ptr> actors; ///< the worker among them; what they spawn ends with them
};

/// Preprocess, batcher, instances of the model and postprocess, all in host memory.
[[nodiscard]] worker_stages spawn_on_host(const stage_parts& parts);

/// A batcher and the lanes of a device, which do all that comes after decode.
[[nodiscard]] worker_stages spawn_on_device(const stage_parts& parts, std::shared_ptr<inference::batch_ring> ring);

} // namespace penstock::actors
