#include "kernels/geometry.hpp"

#include <algorithm>
#include <cmath>

namespace penstock::kernels {

core::box geometry::to_source(const core::box& b) const noexcept {
  return {(b.x - static_cast<float>(left_px)) / scale_x(), (b.y - static_cast<float>(top_px)) / scale_y(),
          b.w / scale_x(), b.h / scale_y()};
}

core::box geometry::to_tensor(const core::box& b) const noexcept {
  return {b.x * scale_x() + static_cast<float>(left_px), b.y * scale_y() + static_cast<float>(top_px), b.w * scale_x(),
          b.h * scale_y()};
}

core::box geometry::clip(const core::box& b) const noexcept {
  const auto right = static_cast<float>(source_width_px);
  const auto bottom = static_cast<float>(source_height_px);
  const auto x = std::clamp(b.x, 0.0F, right);
  const auto y = std::clamp(b.y, 0.0F, bottom);
  return {x, y, std::clamp(b.x + b.w, x, right) - x, std::clamp(b.y + b.h, y, bottom) - y};
}

geometry map(fit how, int source_width_px, int source_height_px, int tensor_width_px, int tensor_height_px) noexcept {
  geometry g{
      source_width_px, source_height_px, tensor_width_px, tensor_height_px, tensor_width_px, tensor_height_px, 0, 0};
  if (how == fit::stretch) return g;
  const auto ratio_x = static_cast<double>(tensor_width_px) / source_width_px;
  const auto ratio_y = static_cast<double>(tensor_height_px) / source_height_px;
  const auto ratio = how == fit::letterbox ? std::min(ratio_x, ratio_y) : std::max(ratio_x, ratio_y);
  // nearbyint rounds ties to even, as Python's round() does
  g.resized_width_px = std::max(1, static_cast<int>(std::nearbyint(source_width_px * ratio)));
  g.resized_height_px = std::max(1, static_cast<int>(std::nearbyint(source_height_px * ratio)));
  g.left_px = static_cast<int>(std::nearbyint((tensor_width_px - g.resized_width_px) / 2.0 - 0.1));
  g.top_px = static_cast<int>(std::nearbyint((tensor_height_px - g.resized_height_px) / 2.0 - 0.1));
  return g;
}

} // namespace penstock::kernels
