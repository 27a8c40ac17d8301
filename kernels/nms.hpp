#pragma once

#include <cstddef>
#include <vector>

#include "core/detection.hpp"

namespace penstock::kernels {

/// Which of overlapping detections remain.
struct nms_spec {
  float score = 0.25F;                 ///< detections below it are removed
  float iou = 0.45F;                   ///< a detection that overlaps a better one by more than this is removed
  bool class_agnostic = false;         ///< whether detections of different classes suppress each other
  std::size_t max_candidates = 30'000; ///< only so many of the best are looked at
  std::size_t max_objects = 300;       ///< only so many remain
};

/// Intersection over union, 0 to 1; 0 where both are empty. Boxes of negative size are empty.
[[nodiscard]] float iou(const core::box& a, const core::box& b) noexcept;

/// Greedy non-maximum suppression in place. Best score first afterwards; of equal scores the one that came first is
/// the better one, so the result is deterministic. Detections whose score is not a number are removed. Thread-safe.
void nms(std::vector<core::detection>& detections, const nms_spec& spec);

} // namespace penstock::kernels
