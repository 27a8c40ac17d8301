#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "inference/engine.hpp"

namespace penstock::inference {

/// What an ONNX file says about its graph, for engines that keep it to themselves.
struct onnx_signature {
  std::vector<tensor_info> inputs; ///< without those that have an initialiser
  std::vector<tensor_info> outputs;
  bool shares_initializers = false; ///< whether Identity nodes hand on initialisers, as some exporters do
};

/// Reads the signature from a serialised ModelProto (onnx.proto of ONNX, IR version 3 and above), skipping the rest.
/// Errors: `corrupt` (not an ONNX model, or cut off), `unsupported` (an element type that nothing here has).
[[nodiscard]] core::expected<onnx_signature> read_onnx_signature(std::span<const std::byte> model);

} // namespace penstock::inference
