#pragma once

#include <caf/fwd.hpp>
#include <memory>
#include <string>
#include <vector>

#include "actors/model.hpp"
#include "actors/stage_gate.hpp"
#include "actors/stage_link.hpp"
#include "actors/worker.hpp"
#include "inference/batch_ring.hpp"
#include "media/decoder.hpp"
#include "metrics/families.hpp"
#include "topology/config.hpp"
#include "topology/cut.hpp"

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

/// For a role whose frames or tensors leave the machine: credits to keep a machine behind the link busy, and a frame of
/// each decoder.
[[nodiscard]] stage_sizes sizes_before_link(const topology::stages_config& stages, std::size_t cores);

/// What the batches of a model on a device need there. Precondition: `model.device`.
[[nodiscard]] inference::batch_ring_config ring_config_of(const loaded_model& model, const stage_sizes& sizes);

/// The stages of a role, with everything loaded and sized, before any actor.
struct prepared_stages {
  topology::part part = topology::part::whole;
  topology::link_config link; ///< where frames or tensors leave the machine
  loaded_model model;         ///< before a link its input alone, or nothing
  stage_sizes sizes;
  std::shared_ptr<inference::batch_ring> ring; ///< of a model on a device; otherwise null
  std::string line;                            ///< about the model in service, for people
};

/// Loads the model and makes what its batches need. `device`: as in `load_model`. Errors: `bad_config`, and the
/// engine's.
[[nodiscard]] core::expected<prepared_stages> prepare_stages(const topology::config& topology, std::size_t cores,
                                                             kernels::device_ptr device = nullptr);

/// The same for one role. One that preprocesses for others loads the model too, on the CPU and only until it knows its
/// input; one that decodes for others does not.
[[nodiscard]] core::expected<prepared_stages> prepare_role(const topology::config& topology,
                                                           const topology::node_config& role, std::size_t cores);

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

/// A worker whose frames or tensors leave the machine.
struct linked_stages {
  worker_stages worker;
  stage_link_actor link; ///< among the worker's actors too
};

/// Spawns the stages before a link. `link_with.metrics` is filled in.
[[nodiscard]] linked_stages spawn_before_link(caf::actor_system& system, const topology::config& topology,
                                              const prepared_stages& prepared, metrics::registry& metrics,
                                              stage_link_config link_with, const head_inbox& head);

/// Stages that other machines send to.
struct gated_stages {
  stage_gate_actor gate;
  std::vector<caf::strong_actor_ptr> actors; ///< the gate among them
};

/// Spawns the stages behind a link. `gate_with.credits` and `window` are filled in.
[[nodiscard]] gated_stages spawn_behind_link(caf::actor_system& system, const topology::config& topology,
                                             const prepared_stages& prepared, metrics::registry& metrics,
                                             stage_gate_config gate_with);

} // namespace penstock::actors
