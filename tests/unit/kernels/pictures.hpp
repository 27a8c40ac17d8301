#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "core/frame.hpp"

/// A picture of noise with padded rows.
struct noise_picture {
  std::vector<std::vector<std::uint8_t>> memory;
  penstock::core::frame_view view;
};

inline noise_picture make_noise(int width, int height, penstock::core::pixel_format format, int padding,
                                std::uint32_t seed) {
  using penstock::core::pixel_format;
  std::mt19937 random{seed};
  noise_picture p;
  p.view.width_px = width;
  p.view.height_px = height;
  p.view.format = format;
  const auto add = [&](int row_bytes, int rows) {
    const auto stride = row_bytes + padding;
    auto& plane = p.memory.emplace_back();
    // exactly as long as the rows, so that a sanitiser sees reading past the last one
    plane.resize(static_cast<std::size_t>(stride) * static_cast<std::size_t>(rows - 1) +
                 static_cast<std::size_t>(row_bytes));
    for (auto& b : plane) b = static_cast<std::uint8_t>(random());
    const auto i = p.memory.size() - 1;
    p.view.planes[i] = plane.data();
    p.view.strides_bytes[i] = stride;
  };
  const auto half_width = (width + 1) / 2;
  const auto half_height = (height + 1) / 2;
  p.memory.reserve(3);
  switch (format) {
  case pixel_format::gray8: add(width, height); break;
  case pixel_format::i420:
    add(width, height);
    add(half_width, half_height);
    add(half_width, half_height);
    break;
  case pixel_format::nv12:
    add(width, height);
    add(2 * half_width, half_height);
    break;
  case pixel_format::p010:
    add(2 * width, height);
    add(4 * half_width, half_height);
    break;
  case pixel_format::i422:
    add(width, height);
    add(half_width, height);
    add(half_width, height);
    break;
  case pixel_format::i444:
    for (int i = 0; i < 3; ++i) add(width, height);
    break;
  case pixel_format::rgb24:
  case pixel_format::bgr24: add(3 * width, height); break;
  }
  return p;
}
