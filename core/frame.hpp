#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/memory.hpp"

namespace penstock::core {

/// Memory layout of a decoded picture; 8 bits a sample where nothing else is said.
enum class pixel_format : std::uint8_t {
  gray8, ///< one plane Y
  i420,  ///< planes Y, U, V; U and V at half width and height, rounded up
  nv12,  ///< planes Y and interleaved UV; UV at half width and height, rounded up
  i422,  ///< planes Y, U, V; U and V at half width, rounded up
  i444,  ///< planes Y, U, V at full size
  rgb24, ///< one plane, R G B
  bgr24, ///< one plane, B G R
  p010,  ///< as nv12 with 16 bits a sample, of which the upper 10 count (little endian)
};

/// Which matrix turned RGB into YUV (ITU-R BT.601, BT.709). Without meaning for RGB formats.
enum class color_matrix : std::uint8_t { bt601, bt709 };

/// Value range of YUV samples: limited is 16–235 (chroma 16–240), full is 0–255.
enum class color_range : std::uint8_t { limited, full };

/// A picture somebody else owns.
struct frame_view {
  int width_px = 0;
  int height_px = 0;
  pixel_format format = pixel_format::i420;
  color_matrix matrix = color_matrix::bt601;
  color_range range = color_range::limited;
  std::array<const std::uint8_t*, 3> planes{};   ///< unused planes are null
  std::array<std::ptrdiff_t, 3> strides_bytes{}; ///< from one row to the next, at least the row's own bytes
  memory_kind memory = memory_kind::host;        ///< where the planes lie
};

/// A decoded picture with its owner; immutable and shared.
struct frame {
  std::shared_ptr<const void> owner; ///< keeps the planes alive
  frame_view view;
};

using frame_ptr = std::shared_ptr<const frame>;

} // namespace penstock::core
