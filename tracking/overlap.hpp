#pragma once

#include <algorithm>

#include "core/detection.hpp"

namespace penstock::tracking {

/// Intersection over union, 0 to 1; 0 for empty boxes.
[[nodiscard]] inline float overlap(const core::box& a, const core::box& b) noexcept {
  const auto w = std::min(a.x + a.w, b.x + b.w) - std::max(a.x, b.x);
  const auto h = std::min(a.y + a.h, b.y + b.h) - std::max(a.y, b.y);
  if (!(w > 0 && h > 0)) return 0;
  return w * h / (a.w * a.h + b.w * b.h - w * h);
}

} // namespace penstock::tracking
