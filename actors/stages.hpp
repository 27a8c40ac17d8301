#pragma once

#include <caf/fwd.hpp>
#include <memory>
#include <string>
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

/// A topology's stages, with everything loaded and sized, before any actor.
struct prepared_stages {
  loaded_model model;
  stage_sizes sizes;
  std::shared_ptr<inference::batch_ring> ring; ///< of a model on a device; otherwise null
  std::string line;                            ///< about the model in service, for people
};

/// Loads the model and makes what its batches need. `device`: as in `load_model`. Errors: `bad_config`, and the
/// engine's.
[[nodiscard]] core::expected<prepared_stages> prepare_stages(const topology::config& topology, std::size_t cores,
                                                             kernels::device_ptr device = nullptr);

/// How frames are decoded in general, on the CPU.
[[nodiscard]] media::decode_options decode_options_of(const topology::config& topology);

/// A worker and its stages.
struct worker_stages {
  worker_config config;
  worker_actor worker;
  std::vector<caf::strong_actor_ptr> actors; ///< the worker among them; what they spawn ends with them
};

/// Spawns all stages from decode to postprocess, for one head.
[[nodiscard]] worker_stages spawn_stages(caf::actor_system& system, const topology::config& topology,
                                         const prepared_stages& prepared, metrics::registry& metrics,
                                         const head_inbox& head);

} // namespace penstock::actors
