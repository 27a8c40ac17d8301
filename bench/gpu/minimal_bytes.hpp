#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/preprocess.hpp"

namespace penstock::bench {

/// Device memory moves in sectors of so many bytes.
inline constexpr std::size_t sector_bytes = 32;

/// The least that preprocessing a picture moves through device memory.
struct minimal_bytes {
  std::size_t read = 0;
  std::size_t written = 0;

  [[nodiscard]] std::size_t total() const noexcept { return read + written; }
};

/// Of the samples of one axis of a plane, those that bilinear sampling at half-pixel centres gives weight to, for the
/// resized pixels [first, last). `step` is samples per resized pixel.
[[nodiscard]] inline std::vector<bool> sampled(int samples, double step, int first, int last) {
  constexpr double no_weight = 1e-6; // what is left of a whole-numbered step after rounding
  std::vector<bool> touched(static_cast<std::size_t>(samples));
  const auto touch = [&](double at) {
    touched[static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(samples - 1)))] = true;
  };
  for (int i = first; i < last; ++i) {
    const auto center = (i + 0.5) * step - 0.5;
    const auto below = std::floor(center);
    if (below + 1 - center > no_weight) touch(below);
    if (center - below > no_weight) touch(below + 1);
  }
  return touched;
}

/// Sectors of a row of which at least one touched sample is a part; rows begin at a sector.
[[nodiscard]] inline std::size_t sectors(const std::vector<bool>& columns, std::size_t sample_bytes) {
  std::size_t count = 0;
  std::size_t next = 0; // first sector not counted yet
  for (std::size_t x = 0; x < columns.size(); ++x) {
    if (!columns[x]) continue;
    const auto from = std::max(x * sample_bytes / sector_bytes, next);
    const auto to = ((x + 1) * sample_bytes - 1) / sector_bytes + 1;
    count += to > from ? to - from : 0;
    next = std::max(next, to);
  }
  return count;
}

/// Of an NV12 picture whose planes and rows begin at sectors (strides are multiples of 32 bytes), sampled bilinearly:
/// every sector that holds a sample with a weight is read once, every element of the tensor is written once.
[[nodiscard]] inline minimal_bytes of_nv12(const kernels::preprocess_spec& spec, int width_px, int height_px) {
  const auto g = kernels::map(spec, width_px, height_px);
  const auto left = std::max(0, -g.left_px);
  const auto right = std::min(g.resized_width_px, spec.width_px - g.left_px);
  const auto top = std::max(0, -g.top_px);
  const auto bottom = std::min(g.resized_height_px, spec.height_px - g.top_px);
  const auto step_x = static_cast<double>(width_px) / g.resized_width_px;
  const auto step_y = static_cast<double>(height_px) / g.resized_height_px;
  const auto plane = [&](int columns, int rows, double scale, std::size_t sample_bytes) {
    const auto y = sampled(rows, step_y * scale, top, bottom);
    return static_cast<std::size_t>(std::count(y.begin(), y.end(), true)) *
           sectors(sampled(columns, step_x * scale, left, right), sample_bytes) * sector_bytes;
  };
  minimal_bytes all;
  all.read = plane(width_px, height_px, 1, 1) + plane((width_px + 1) / 2, (height_px + 1) / 2, 0.5, 2);
  all.written =
      3 * static_cast<std::size_t>(spec.width_px) * static_cast<std::size_t>(spec.height_px) * core::size_of(spec.type);
  return all;
}

} // namespace penstock::bench
