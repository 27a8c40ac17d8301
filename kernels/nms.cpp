#include "kernels/nms.hpp"

#include <algorithm>
#include <cstdint>

#include "kernels/decode_arithmetic.hpp"

namespace penstock::kernels {

using decoding::corners;
using decoding::corners_of;
using decoding::overlap;

float iou(const core::box& a, const core::box& b) noexcept { return overlap(corners_of(a), corners_of(b)); }

void nms(std::vector<core::detection>& detections, const nms_spec& spec) {
  std::erase_if(detections, [&](const auto& d) { return !(d.score >= spec.score); });
  const auto better = [&](std::uint32_t a, std::uint32_t b) {
    return detections[a].score != detections[b].score ? detections[a].score > detections[b].score : a < b;
  };
  std::vector<std::uint32_t> order(detections.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  if (order.size() > spec.max_candidates) {
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(spec.max_candidates);
    std::nth_element(order.begin(), end, order.end(), better);
    order.erase(end, order.end());
  }
  std::sort(order.begin(), order.end(), better);

  std::vector<core::detection> kept;
  std::vector<corners> kept_corners;
  for (const auto i : order) {
    if (kept.size() >= spec.max_objects) break;
    const auto& d = detections[i];
    const auto c = corners_of(d.box);
    bool suppressed = false;
    for (std::size_t k = 0; k < kept.size() && !suppressed; ++k) {
      if (spec.class_agnostic || kept[k].class_index == d.class_index)
        suppressed = overlap(kept_corners[k], c) > spec.iou;
    }
    if (suppressed) continue;
    kept.push_back(d);
    kept_corners.push_back(c);
  }
  detections = std::move(kept);
}

} // namespace penstock::kernels
