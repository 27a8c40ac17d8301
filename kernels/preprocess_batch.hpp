#pragma once

#include <span>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/tensor.hpp"
#include "kernels/geometry.hpp"
#include "kernels/preprocess.hpp"

namespace penstock::kernels {

/// Frames of any sizes and formats into the slots of a batch tensor, in one pass over what is sampled: convert, resize,
/// normalise. The same arithmetic as `preprocess_plan` (and `reference_preprocess`): within 1e-3 of the latter at f32
/// with values up to 255, exact after rounding but for ties at u8 and i8.
///
/// `slots` is the batch, [n, 3, H, W] or [n, H, W, 3] of the spec, n ≥ frames; frame i goes to slot `first + i`. Frames
/// and slots lie in the device's memory.
struct preprocess_batch {
  const preprocess_spec& spec;
  std::span<const core::frame_view> frames;
  core::tensor_view slots;
  std::size_t first = 0;
};

/// Where frame lands in its slot, as the kernel does it: see `map`.
/// invalid_argument where spec, frames or slots do not fit each other; nothing is written then.
[[nodiscard]] core::expected<void> check(const preprocess_batch& job);

namespace cpu {

/// The twin on the CPU, done when it returns.
[[nodiscard]] core::expected<void> preprocess(const preprocess_batch& job);

} // namespace cpu
} // namespace penstock::kernels
