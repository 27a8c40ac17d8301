#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/color.hpp"
#include "kernels/cpu/taps.hpp"

namespace penstock::kernels::cpu {

/// One plane of a picture, of one or more interleaved components.
struct plane_job {
  const std::uint8_t* data = nullptr;
  std::ptrdiff_t stride_bytes = 0;
  int width = 0;         ///< samples of a component in a row
  int components = 1;    ///< 1 to 3
  int sample_bytes = 1;  ///< 2: the upper 10 of 16 bits count
  std::size_t first = 0; ///< the sample (0 to 2) that its first component is; the others follow
  const column_taps* columns = nullptr;
  const row_taps* rows = nullptr;
};

/// Memory of one run, every pointer aligned to a vector.
struct scratch {
  std::array<std::uint16_t*, 3> blended{}; ///< a row of each sample after the vertical taps, 8.8 fixed point, top bit
                                           ///< flipped so that it is signed
  std::uint32_t* sums = nullptr;           ///< a row of 8.24 sums, for wide vertical taps only
  std::array<float*, 3> values{};          ///< a tensor row of each channel
  std::byte* packed = nullptr;             ///< the same in the tensor's element type
};

/// A frame and a slot, all resolved and checked.
struct frame_job {
  std::array<plane_job, 3> planes{};
  std::size_t plane_count = 0;
  bool gray = false; ///< there is only sample 0
  color_map color;
  int tensor_width = 0;
  int tensor_height = 0;
  int left = 0; ///< tensor pixels that the picture covers: [left, right) × [top, bottom)
  int right = 0;
  int top = 0;
  int bottom = 0;
  core::tensor_layout layout = core::tensor_layout::nchw;
  core::element_type type = core::element_type::f32;
  std::byte* slot = nullptr;
};

/// Elements by which rows of the scratch are longer than what they hold, since vectors run over the end.
inline constexpr std::size_t row_slack = 192;

/// Does the job with the best instruction set of the machine.
void run(const frame_job& job, const scratch& memory);

} // namespace penstock::kernels::cpu
