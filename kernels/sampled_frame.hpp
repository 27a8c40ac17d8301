#pragma once

#include "kernels/preprocess.hpp"
#include "kernels/sampling.hpp"

namespace penstock::kernels {

/// The descriptor of a frame, which has passed `check`, in a tensor of the spec.
[[nodiscard]] sampled_frame make_sampled_frame(const preprocess_spec& spec, const core::frame_view& frame) noexcept;

/// Descriptors for a frame as full-range BT.601 YUV of another size: colours 0, 1, 2 are Y, U, V. `luma` has a pixel
/// for every Y of the target, `chroma` one for every U and V.
struct sampled_yuv {
  sampled_frame luma;
  sampled_frame chroma;
};

[[nodiscard]] sampled_yuv make_sampled_yuv(const core::frame_view& frame, int width_px, int height_px) noexcept;

/// Whether some axis takes means.
[[nodiscard]] bool takes_means(const sampled_frame& frame) noexcept;

} // namespace penstock::kernels
