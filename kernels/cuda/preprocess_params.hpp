#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor.hpp"
#include "kernels/sampling.hpp"

namespace penstock::kernels::gpu {

/// Frames of one launch: as many as surely fit the 32,764 bytes of kernel parameters.
inline constexpr int max_frames = 64;

/// A launch: frame i goes to the i-th slot from `slots`.
struct preprocess_params {
  std::byte* slots = nullptr;
  std::int32_t width = 0; ///< of the tensor
  std::int32_t height = 0;
  std::int32_t count = 0;
  std::int32_t paired = 0; ///< whether two neighbours can be stored at once everywhere: even width, aligned slots
  core::element_type type = core::element_type::f32;
  core::tensor_layout layout = core::tensor_layout::nchw;
  bool area = false;  ///< whether some frame takes means
  bool pairs = false; ///< whether all frames are of that kind
  sampled_frame frames[max_frames];
};

static_assert(sizeof(preprocess_params) <= 32'764);

} // namespace penstock::kernels::gpu
