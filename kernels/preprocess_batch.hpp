#pragma once

#include <span>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/tensor.hpp"
#include "kernels/geometry.hpp"
#include "kernels/preprocess.hpp"

namespace penstock::kernels {

/// Frames of any sizes and formats into the slots of a batch tensor, in one pass over what is sampled: convert, resize,
/// normalise. Devices are within 1e-3 of `reference_preprocess` at f32 with values up to 255, 2e-3 relative at f16, and
/// exact but for ties at u8 and i8; the CPU does what `preprocess_plan` does, with its rounding.
///
/// `slots` is the batch, [n, 3, H, W] or [n, H, W, 3] of the spec, n ≥ frames; frame i goes to slot `first + i`. Frames
/// and slots lie in the device's memory.
struct preprocess_batch {
  const preprocess_spec& spec;
  std::span<const core::frame_view> frames;
  core::tensor_view slots;
  std::size_t first = 0;
};

/// invalid_argument where spec, frames or slots do not fit each other; nothing is written then.
[[nodiscard]] core::expected<void> check(const preprocess_batch& job);

namespace cpu {

/// The twin on the CPU, done when it returns. Keeps the sampling tables of the sizes it saw last. Thread-safe.
[[nodiscard]] core::expected<void> preprocess(const preprocess_batch& job);

} // namespace cpu
} // namespace penstock::kernels
