#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/detection.hpp"
#include "kernels/decode_objects.hpp"
#include "kernels/geometry.hpp"
#include "kernels/portable.hpp"

/// The arithmetic of one candidate, the same on the CPU and on the device: what decides there (scores' order, overlap)
/// comes out with the same bits, because no sum or product is fused and divisions are exact on both.
namespace penstock::kernels::decoding {

PENSTOCK_PORTABLE float product(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

PENSTOCK_PORTABLE float sum(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

PENSTOCK_PORTABLE float quotient(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

/// Powers of numbers that are compared afterwards: by way of double on the device, whose powf is not exact enough.
PENSTOCK_PORTABLE float power(float base, float exponent) {
#if defined(__CUDA_ARCH__)
  return static_cast<float>(::pow(static_cast<double>(base), static_cast<double>(exponent)));
#else
  return std::pow(base, exponent);
#endif
}

PENSTOCK_PORTABLE float sigmoid(float x) { return quotient(1, sum(1, std::exp(-x))); }

// As std::min, std::max and std::clamp, whatever is not a number.
PENSTOCK_PORTABLE float lesser(float a, float b) { return b < a ? b : a; }
PENSTOCK_PORTABLE float greater(float a, float b) { return a < b ? b : a; }
PENSTOCK_PORTABLE float between(float low, float x, float high) { return x < low ? low : high < x ? high : x; }

// Scores

/// Share of the class in `score_rule::weighted_product`.
inline constexpr float class_weight = 0.4F;

/// The least class score that can reach `least` when objectness is at most 1; only those above cost a power.
PENSTOCK_PORTABLE float least_class_score(float least) { return power(least, 1 / class_weight); }

PENSTOCK_PORTABLE float weighted_product(float objectness, float class_score) {
  return product(power(objectness, 1 - class_weight), power(class_score, class_weight));
}

/// A candidate as one number: rising keys are falling scores, and of equal scores rising indices.
PENSTOCK_PORTABLE std::uint64_t key_of(float score, std::uint32_t index) {
  const auto value = score == 0 ? 0.0F : score; // -0 equals 0
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  const auto rising = (bits >> 31U) != 0 ? ~bits : bits | 0x80000000U;
  return (static_cast<std::uint64_t>(~rising) << 32U) | index;
}

PENSTOCK_PORTABLE std::uint32_t index_of(std::uint64_t key) { return static_cast<std::uint32_t>(key); }

PENSTOCK_PORTABLE float score_of(std::uint64_t key) {
  const auto rising = ~static_cast<std::uint32_t>(key >> 32U);
  const auto bits = (rising >> 31U) != 0 ? rising & 0x7fffffffU : ~rising;
  float score = 0;
  std::memcpy(&score, &bits, sizeof(score));
  return score;
}

// Boxes

/// The four numbers of anchor `index` as a box in tensor pixels.
PENSTOCK_PORTABLE core::box tensor_box(const object_spec& spec, std::uint32_t index, const float (&raw)[4],
                                       const geometry& g) {
  const auto width = static_cast<float>(g.tensor_width_px);
  const auto height = static_cast<float>(g.tensor_height_px);
  float n[4] = {raw[0], raw[1], raw[2], raw[3]};
  if (spec.coding == box_coding::fastestdet) {
    const auto columns = static_cast<std::uint32_t>(spec.columns);
    const auto rows = static_cast<std::uint32_t>(spec.anchors) / columns;
    const auto column = static_cast<float>(index % columns);
    const auto row = static_cast<float>(index / columns);
    n[0] = product(sum(column, std::tanh(n[0])), quotient(width, static_cast<float>(columns)));
    n[1] = product(sum(row, std::tanh(n[1])), quotient(height, static_cast<float>(rows)));
    n[2] = product(sigmoid(n[2]), width);
    n[3] = product(sigmoid(n[3]), height);
  } else if (spec.relative) {
    n[0] = product(n[0], width);
    n[1] = product(n[1], height);
    n[2] = product(n[2], width);
    n[3] = product(n[3], height);
  }
  if (spec.coding == box_coding::corners) return {n[0], n[1], sum(n[2], -n[0]), sum(n[3], -n[1])};
  return {sum(n[0], -quotient(n[2], 2)), sum(n[1], -quotient(n[3], 2)), n[2], n[3]};
}

/// As `geometry::to_source`.
PENSTOCK_PORTABLE core::box to_source(const core::box& b, const geometry& g) {
  const auto scale_x = quotient(static_cast<float>(g.resized_width_px), static_cast<float>(g.source_width_px));
  const auto scale_y = quotient(static_cast<float>(g.resized_height_px), static_cast<float>(g.source_height_px));
  return {quotient(sum(b.x, -static_cast<float>(g.left_px)), scale_x),
          quotient(sum(b.y, -static_cast<float>(g.top_px)), scale_y), quotient(b.w, scale_x), quotient(b.h, scale_y)};
}

/// A box as overlaps need it; of negative sizes nothing remains.
struct corners {
  float x1, y1, x2, y2, area;
};

PENSTOCK_PORTABLE corners corners_of(const core::box& b) {
  const auto w = greater(b.w, 0);
  const auto h = greater(b.h, 0);
  return {b.x, b.y, sum(b.x, w), sum(b.y, h), product(w, h)};
}

/// Intersection over union.
PENSTOCK_PORTABLE float overlap(const corners& a, const corners& b) {
  const auto w = sum(lesser(a.x2, b.x2), -greater(a.x1, b.x1));
  const auto h = sum(lesser(a.y2, b.y2), -greater(a.y1, b.y1));
  if (!(w > 0 && h > 0)) return 0;
  const auto both = product(w, h);
  return quotient(both, sum(sum(a.area, b.area), -both));
}

/// As `geometry::clip`.
PENSTOCK_PORTABLE core::box clipped(const corners& c, const geometry& g) {
  const auto right = static_cast<float>(g.source_width_px);
  const auto bottom = static_cast<float>(g.source_height_px);
  const auto x = between(0, c.x1, right);
  const auto y = between(0, c.y1, bottom);
  return {x, y, sum(between(x, c.x2, right), -x), sum(between(y, c.y2, bottom), -y)};
}

} // namespace penstock::kernels::decoding
