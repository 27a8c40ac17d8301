#pragma once

#include <cstddef>

#include "core/frame.hpp"

namespace penstock::kernels {

/// How the planes of a pixel format are made.
struct format_shape {
  std::size_t planes = 3;
  int components = 1;        ///< interleaved in the first plane
  int chroma_components = 1; ///< interleaved in each other plane
  int sample_bytes = 1;
  bool half_width = false; ///< planes but the first, rounded up
  bool half_height = false;

  [[nodiscard]] constexpr int width(int picture, std::size_t plane) const noexcept {
    return half_width && plane > 0 ? (picture + 1) / 2 : picture;
  }
  [[nodiscard]] constexpr int height(int picture, std::size_t plane) const noexcept {
    return half_height && plane > 0 ? (picture + 1) / 2 : picture;
  }
  [[nodiscard]] constexpr int components_of(std::size_t plane) const noexcept {
    return plane == 0 ? components : chroma_components;
  }
  [[nodiscard]] constexpr int row_bytes(int picture_width, std::size_t plane) const noexcept {
    return width(picture_width, plane) * components_of(plane) * sample_bytes;
  }
};

[[nodiscard]] constexpr format_shape shape_of(core::pixel_format format) noexcept {
  using core::pixel_format;
  switch (format) {
  case pixel_format::gray8: return {.planes = 1};
  case pixel_format::i420: return {.half_width = true, .half_height = true};
  case pixel_format::nv12: return {.planes = 2, .chroma_components = 2, .half_width = true, .half_height = true};
  case pixel_format::p010:
    return {.planes = 2, .chroma_components = 2, .sample_bytes = 2, .half_width = true, .half_height = true};
  case pixel_format::i422: return {.half_width = true};
  case pixel_format::i444: return {};
  case pixel_format::rgb24:
  case pixel_format::bgr24: return {.planes = 1, .components = 3};
  }
  return {};
}

} // namespace penstock::kernels
