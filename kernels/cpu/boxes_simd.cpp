#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/boxes_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "kernels/boxes.hpp"

HWY_BEFORE_NAMESPACE();
namespace penstock::kernels {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::ScalableTag<float> df;
constexpr hn::RebindToSigned<decltype(df)> di;
constexpr float none = -std::numeric_limits<float>::infinity();

/// Anchors looked at together: small enough for the first-level cache, long enough for the prefetcher.
constexpr std::size_t block = 1024;

/// Maxima over classes of up to `block` anchors, one plane after another, then the few that reach the threshold.
void planar_block(const float* scores, std::size_t plane_stride, std::size_t classes, std::size_t first, std::size_t n,
                  const float* objectness, float threshold, std::vector<candidate>& out) {
  float best[block];
  std::fill_n(best, n, none);
  for (std::size_t c = 0; c < classes; ++c) {
    const auto* plane = scores + c * plane_stride + first;
    std::size_t i = 0;
    for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df)) {
      const auto s = hn::LoadU(df, plane + i);
      const auto b = hn::LoadU(df, best + i);
      hn::StoreU(hn::IfThenElse(hn::Gt(s, b), s, b), df, best + i);
    }
    for (; i < n; ++i) best[i] = plane[i] > best[i] ? plane[i] : best[i];
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!(best[i] >= threshold) && objectness == nullptr) continue;
    const auto score = objectness == nullptr ? best[i] : best[i] * objectness[first + i];
    if (!(score >= threshold) || best[i] == none) continue;
    // the class is looked up for the few candidates only
    std::size_t c = 0;
    while (scores[c * plane_stride + first + i] != best[i]) ++c;
    out.push_back({static_cast<std::uint32_t>(first + i), static_cast<std::int32_t>(c), score});
  }
}

/// Best score of a row, `none` without any.
float row_maximum(const float* row, std::size_t n) {
  std::size_t i = 0;
  auto best = none;
  if (n >= hn::Lanes(df)) {
    auto b = hn::Set(df, none);
    for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df)) {
      const auto s = hn::LoadU(df, row + i);
      b = hn::IfThenElse(hn::Gt(s, b), s, b);
    }
    best = hn::GetLane(hn::MaxOfLanes(df, b));
  }
  for (; i < n; ++i) best = row[i] > best ? row[i] : best;
  return best;
}

} // namespace

void planar_here(const float* scores, std::size_t plane_stride, std::size_t classes, std::size_t anchors,
                 const float* objectness, float threshold, std::vector<candidate>& out) {
  for (std::size_t first = 0; first < anchors; first += block)
    planar_block(scores, plane_stride, classes, first, std::min(block, anchors - first), objectness, threshold, out);
}

void interleaved_here(const float* scores, std::size_t row_stride, std::size_t classes, std::size_t anchors,
                      const float* objectness, float threshold, std::vector<candidate>& out) {
  for (std::size_t a = 0; a < anchors; ++a) {
    const auto factor = objectness == nullptr ? 1.0F : objectness[a * row_stride];
    if (!(factor >= threshold) && objectness != nullptr) continue;
    const auto* row = scores + a * row_stride;
    const auto best = row_maximum(row, classes);
    const auto score = best * factor;
    if (!(score >= threshold) || best == none) continue;
    const auto c = std::find(row, row + classes, best) - row;
    out.push_back({static_cast<std::uint32_t>(a), static_cast<std::int32_t>(c), score});
  }
}

} // namespace HWY_NAMESPACE
} // namespace penstock::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace penstock::kernels {

HWY_EXPORT(planar_here);
HWY_EXPORT(interleaved_here);

void best_class_planar(const float* scores, std::size_t plane_stride, std::size_t classes, std::size_t anchors,
                       const float* objectness, float threshold, std::vector<candidate>& out) {
  HWY_DYNAMIC_DISPATCH(planar_here)(scores, plane_stride, classes, anchors, objectness, threshold, out);
}

void best_class_interleaved(const float* scores, std::size_t row_stride, std::size_t classes, std::size_t anchors,
                            const float* objectness, float threshold, std::vector<candidate>& out) {
  HWY_DYNAMIC_DISPATCH(interleaved_here)(scores, row_stride, classes, anchors, objectness, threshold, out);
}

} // namespace penstock::kernels
#endif
