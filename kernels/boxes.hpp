#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::kernels {

/// An anchor whose best class reaches the threshold.
struct candidate {
  std::uint32_t index = 0;      ///< of the anchor
  std::int32_t class_index = 0; ///< the lowest class of the best score
  float score = 0;              ///< the class's score, times objectness where it is given

  bool operator==(const candidate&) const = default;
};

/// Appends the anchors whose best score is at least `threshold`, by rising index, from scores with one contiguous plane
/// of anchors per class: score of class c and anchor a at scores[c * plane_stride + a] (YOLOv8: [4 + C][A]).
/// `objectness`, where not null, is one more plane, by which each anchor's score is multiplied; scores are at most 1
/// then. A NaN counts as no score. Thread-safe.
void best_class_planar(const float* scores, std::size_t plane_stride, std::size_t classes, std::size_t anchors,
                       const float* objectness, float threshold, std::vector<candidate>& out);

/// The same where each anchor is a row: score of class c and anchor a at scores[a * row_stride + c] (YOLOv5:
/// [A][5 + C]); `objectness`, where not null, of anchor a at objectness[a * row_stride].
void best_class_interleaved(const float* scores, std::size_t row_stride, std::size_t classes, std::size_t anchors,
                            const float* objectness, float threshold, std::vector<candidate>& out);

} // namespace penstock::kernels
