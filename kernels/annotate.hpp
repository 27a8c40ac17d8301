#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "kernels/decode_objects.hpp"

namespace penstock::kernels {

/// A picture that is written to. As `core::frame_view`, in the device's memory.
struct picture {
  int width_px = 0;
  int height_px = 0;
  core::pixel_format format = core::pixel_format::i420;
  core::color_matrix matrix = core::color_matrix::bt601;
  core::color_range range = core::color_range::full;
  std::array<std::uint8_t*, 3> planes{};
  std::array<std::ptrdiff_t, 3> strides_bytes{};
};

/// Text of a label, drawn from the built-in 8×16 font; ASCII 32 to 126, others as '?'.
struct label_text {
  std::array<char, 48> text{}; ///< ends at the first 0
};

/// Draws boxes and label plates onto a picture in place (nv12 or i420), in the order given. Colours follow the class:
/// YUV triples of `palette_color`. Pictures of one batch are drawn by one call each.
struct annotate_job {
  picture target;
  std::span<const device_object> objects; ///< at most 1024; host memory, read before the call returns
  std::span<const label_text> labels;     ///< one an object, or none; host memory
  int line_px = 2;
  int text_scale = 1; ///< pixels of the font's pixel
};

/// Converts a frame (nv12, p010, i420, i422, i444, gray8, rgb24, bgr24) to full-range BT.601 I420, the planes that a
/// JPEG encoder takes, resized (bilinear) to the target's size where it differs. One launch.
struct to_jpeg_planes_job {
  core::frame_view source;
  picture target; ///< i420
};

namespace cpu {

/// The twins on the CPU, done when they return.
[[nodiscard]] core::expected<void> annotate(const annotate_job& job);
[[nodiscard]] core::expected<void> to_jpeg_planes(const to_jpeg_planes_job& job);

} // namespace cpu

/// Y, U, V (full range, BT.601) of a class's colour.
[[nodiscard]] std::array<std::uint8_t, 3> palette_color(std::int32_t class_index) noexcept;

} // namespace penstock::kernels
