#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor.hpp"
#include "kernels/sampling.hpp"

namespace penstock::kernels {

struct preprocess_batch;

/// Frames of one call: as many as surely fit the 32,764 bytes of kernel parameters.
inline constexpr int max_frames = 64;

/// What samples a frame: the first that can.
enum class sampler : std::uint8_t {
  strip_pairs,  ///< kernels/sampling_strip.hpp, nv12
  strip_planes, ///< and i420, i422, i444
  bilinear,     ///< anything without means
  means,
};

/// A launch: some of up to `max_frames` frames, which go to as many slots.
struct preprocess_params {
  std::byte* slots = nullptr;
  std::int32_t width = 0; ///< of the tensor
  std::int32_t height = 0;
  std::int32_t paired = 0; ///< whether two neighbours can be stored at once everywhere: even width, aligned slots
  core::element_type type = core::element_type::f32;
  core::tensor_layout layout = core::tensor_layout::nchw;
  sampler how = sampler::bilinear;
  color_rule colors;              ///< of all frames of the launch, if it is in strips
  std::int32_t filled = 0;        ///< of `frames`
  std::int32_t count = 0;         ///< of `items`
  std::uint8_t items[max_frames]; ///< numbers of the frames of this launch, and of their slots
  sampler samplers[max_frames];
  sampled_frame frames[max_frames];
};

static_assert(sizeof(preprocess_params) <= 32'764);

/// A batch's frames from `begin` on, as many as fit, and their slots; `items` is still empty. The batch has passed
/// `check`.
[[nodiscard]] preprocess_params make_preprocess_params(const preprocess_batch& job, std::size_t begin) noexcept;

/// Makes `job` a launch of the first of the frames in `left` (a bit each) and of all those that one launch can do with
/// it. They leave `left`, which is not 0.
void take_launch(preprocess_params& job, std::uint64_t& left) noexcept;

} // namespace penstock::kernels
