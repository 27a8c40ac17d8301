#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "topology/load.hpp"

namespace penstock::cli {

// What the rooms that act on a topology know about its values, found without starting anything. Each returns problems
// with their places, notes among them.

/// Addresses that no source can open.
[[nodiscard]] topology::problems inspect_streams(const topology::loaded& topology);

/// What an instance of the pipeline takes of a GPU's memory, so far as it is known beforehand: an engine's workspace is
/// not.
struct gpu_memory {
  std::string device;            ///< "cuda:0"; empty where the model runs on none and this is what one would need
  std::size_t lanes = 0;         ///< batches under way
  std::size_t batch = 0;         ///< most images of one
  std::size_t ring_bytes = 0;    ///< of the batches
  std::size_t pinned_bytes = 0;  ///< of host memory
  std::size_t weights_bytes = 0; ///< at least: those of the model's file
  std::size_t decoders = 0;      ///< at the same time
  std::size_t decode_bytes = 0;  ///< about, for 1080p: surfaces of decoders, and frames behind them; 0 on the CPU
};

/// For people, on one line.
[[nodiscard]] std::string to_string(const gpu_memory& memory);

struct model_findings {
  topology::problems problems;
  std::optional<gpu_memory> memory; ///< of models that may run on a GPU
};

/// Loads the model, tries it, and fits it with the stages around it.
[[nodiscard]] model_findings inspect_model(const topology::loaded& topology);

/// A problem whose message begins with a path ("stages.preprocess.size: …"), at the place of that value.
[[nodiscard]] topology::problem place_error(const topology::loaded& topology, const core::error& error);

} // namespace penstock::cli
