#pragma once

#include <cstdint>

#include "core/detection.hpp"

namespace penstock::kernels {

/// How a picture is brought to the tensor's size.
enum class fit : std::uint8_t {
  letterbox, ///< scaled to fit inside, aspect kept, centred, the rest padded
  stretch,   ///< scaled to the tensor's size, aspect lost
  crop,      ///< scaled to cover, aspect kept, centred, what stands over is cut off
};

/// Maps tensor pixels to source pixels and back. The source picture is scaled to resized_width × resized_height, whose
/// top left corner lies at (left, top) of the tensor (negative where it is cropped).
///
/// Letterbox follows Ultralytics' LetterBox: the ratio is the smaller of tensor / source, the resized size is rounded
/// to the nearest pixel (ties to even), and of an odd border the smaller half lies left and on top. Scales are resized
/// / source of each axis, so that boxes invert exactly what the pixels went through. Coordinates are continuous: a
/// pixel covers [x, x+1).
struct geometry {
  int source_width_px = 0;
  int source_height_px = 0;
  int tensor_width_px = 0;
  int tensor_height_px = 0;
  int resized_width_px = 0;
  int resized_height_px = 0;
  int left_px = 0;
  int top_px = 0;

  /// Tensor pixels per source pixel.
  [[nodiscard]] float scale_x() const noexcept {
    return static_cast<float>(resized_width_px) / static_cast<float>(source_width_px);
  }
  [[nodiscard]] float scale_y() const noexcept {
    return static_cast<float>(resized_height_px) / static_cast<float>(source_height_px);
  }

  /// A box in tensor pixels, in source pixels; not clipped.
  [[nodiscard]] core::box to_source(const core::box& b) const noexcept;

  /// A box in source pixels, in tensor pixels; not clipped.
  [[nodiscard]] core::box to_tensor(const core::box& b) const noexcept;

  /// The part of a box (source pixels) that lies inside the source picture.
  [[nodiscard]] core::box clip(const core::box& b) const noexcept;

  bool operator==(const geometry&) const = default;
};

/// The geometry of a picture in a tensor. All sizes at least 1.
[[nodiscard]] geometry map(fit how, int source_width_px, int source_height_px, int tensor_width_px,
                           int tensor_height_px) noexcept;

} // namespace penstock::kernels
