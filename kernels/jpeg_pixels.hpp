#pragma once

#include <cstdint>

#include "kernels/annotate.hpp"
#include "kernels/sampled_frame.hpp"
#include "kernels/sampling.hpp"

namespace penstock::kernels {

/// A conversion to JPEG's planes with all that depends on the frame worked out.
struct jpeg_planes_params {
  sampled_yuv source;
  std::uint8_t* planes[3] = {};
  std::int64_t strides_bytes[3] = {};
  std::int32_t width = 0; ///< of the target
  std::int32_t height = 0;
};

[[nodiscard]] jpeg_planes_params make_jpeg_planes_params(const to_jpeg_planes_job& job) noexcept;

[[nodiscard]] PENSTOCK_PORTABLE std::uint8_t rounded(float v) { return static_cast<std::uint8_t>(v + 0.5F); }

/// Converts the target's U and V at (x, y) of their planes, and the up to four Y around them.
template <sample_class Kind>
PENSTOCK_PORTABLE void jpeg_block(const jpeg_planes_params& job, std::int32_t x, std::int32_t y) {
  const auto color_at = [](const sampled_frame& frame, std::int32_t column, std::int32_t row) {
    return sample_pixel<Kind, false>(frame, {span_of(frame.columns[0], column), span_of(frame.columns[1], column)},
                                     {span_of(frame.rows[0], row), span_of(frame.rows[1], row)});
  };
  const auto chroma = color_at(job.source.chroma, x, y);
  job.planes[1][y * job.strides_bytes[1] + x] = rounded(chroma.values[1]);
  job.planes[2][y * job.strides_bytes[2] + x] = rounded(chroma.values[2]);
  for (std::int32_t row = 2 * y; row < 2 * y + 2 && row < job.height; ++row)
    for (std::int32_t column = 2 * x; column < 2 * x + 2 && column < job.width; ++column)
      job.planes[0][row * job.strides_bytes[0] + column] = rounded(color_at(job.source.luma, column, row).values[0]);
}

} // namespace penstock::kernels
