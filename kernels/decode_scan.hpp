#pragma once

#include <cstdint>
#include <limits>

#include "kernels/decode_suppress.hpp"

/// From a model's outputs to candidates: one pass over the scores, by warps. A warp type `Warp` has
///
///   lanes            32;
///   local<T>         one T for every lane: x[lane];
///   each(f)          f(lane) for every lane in any order; afterwards all see what any wrote;
///   ballot(f)        a word whose bit `lane` is f(lane);
///   reserve(n, x)    adds x to n atomically once, and returns what was there.
namespace penstock::kernels::decoding {

/// Bits of a binary16 number.
struct half_bits {
  std::uint16_t bits;
};

PENSTOCK_PORTABLE float to_float(float number) { return number; }

PENSTOCK_PORTABLE float to_float(half_bits number) {
#if defined(__CUDA_ARCH__)
  float wide = 0;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(number.bits));
  return wide;
#else
  const auto sign = (number.bits & 0x8000U) << 16U;
  const auto exponent = (number.bits >> 10U) & 0x1fU;
  const auto fraction = number.bits & 0x3ffU;
  if (exponent == 0) {
    const auto magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const auto bits = sign | (exponent == 31 ? 0x7f800000U : (exponent + 112) << 23U) | (fraction << 13U);
  float wide = 0;
  std::memcpy(&wide, &bits, sizeof(wide));
  return wide;
#endif
}

/// `V` numbers side by side, as they are read: at once, where they are 16 bytes (and aligned so).
template <unsigned V, class T>
struct alignas(V * sizeof(T)) packed {
  static_assert(V == 1 || V * sizeof(T) == 16);
  T numbers[V];
};

/// Reads what is read only once.
template <unsigned V, class T>
PENSTOCK_PORTABLE packed<V, T> load(const T* from) {
  packed<V, T> raw;
#if defined(__CUDA_ARCH__)
  if constexpr (V > 1) {
    const auto words = __ldcs(reinterpret_cast<const uint4*>(from));
    std::memcpy(&raw, &words, sizeof(raw));
  } else {
    raw.numbers[0] = *from;
  }
#else
  std::memcpy(&raw, from, sizeof(raw));
#endif
  return raw;
}

/// Where an item's numbers are: the first of each, or null.
template <class T>
struct score_view {
  const T* scores = nullptr;
  const T* objectness = nullptr;
  const std::int32_t* labels32 = nullptr;
  const std::int64_t* labels64 = nullptr;
};

/// Best class of `V` anchors so far; afterwards what the candidates among them are.
template <unsigned V>
struct best_scores {
  float score[V];
  std::int32_t class_index[V]; ///< -1: no score yet
  bool passes[V];

  PENSTOCK_PORTABLE void clear() {
    for (unsigned v = 0; v < V; ++v) {
      score[v] = -std::numeric_limits<float>::infinity();
      class_index[v] = -1;
      passes[v] = false;
    }
  }

  /// Of equal scores the first counts; what is not a number never does.
  PENSTOCK_PORTABLE void see(unsigned v, float s, std::uint32_t c) {
    if (!(s > score[v])) return;
    score[v] = s;
    class_index[v] = static_cast<std::int32_t>(c);
  }

  template <class T>
  PENSTOCK_PORTABLE void see(const packed<V, T>& raw, std::uint32_t c) {
    for (unsigned v = 0; v < V; ++v) see(v, to_float(raw.numbers[v]), c);
  }
};

/// Whether an anchor is a candidate: its score from the best class, and the number of that class.
template <class T, unsigned V>
PENSTOCK_PORTABLE void settle(const object_spec& spec, float least_class, const score_view<T>& from,
                              std::uint32_t anchor, best_scores<V>& best, unsigned v) {
  if (best.class_index[v] < 0) return;
  auto& score = best.score[v];
  const bool weighted = spec.rule == score_rule::weighted_product;
  if (weighted && !(score >= least_class)) return;
  if (from.objectness != nullptr) {
    const auto objectness = to_float(from.objectness[anchor * spec.objectness->anchor_stride]);
    score = weighted ? weighted_product(objectness, score) : product(score, objectness);
  }
  best.passes[v] = score >= spec.score;
  if (!best.passes[v]) return;
  if (from.labels32 != nullptr) {
    best.class_index[v] = from.labels32[anchor * spec.labels->anchor_stride];
  } else if (from.labels64 != nullptr) {
    best.class_index[v] = static_cast<std::int32_t>(from.labels64[anchor * spec.labels->anchor_stride]);
  } else {
    best.class_index[v] += spec.first_class;
  }
}

/// Candidates among `V` anchors from `first` on, of any strides; with V > 1 anchors lie side by side.
template <unsigned V, class T>
PENSTOCK_PORTABLE void scan_anchors(const object_spec& spec, float least_class, const score_view<T>& from,
                                    std::uint32_t first, best_scores<V>& best) {
  best.clear();
  const auto* at = from.scores + first * spec.scores.anchor_stride;
  const auto classes = spec.labels ? 1U : static_cast<std::uint32_t>(spec.classes);
  constexpr std::uint32_t together = 8; // on their way at the same time
  std::uint32_t c = 0;
  for (; c + together <= classes; c += together) {
    packed<V, T> raw[together];
    for (unsigned i = 0; i < together; ++i) raw[i] = load<V>(at + (c + i) * spec.scores.stride);
    for (unsigned i = 0; i < together; ++i) best.see(raw[i], c + i);
  }
  for (; c < classes; ++c) best.see(load<V>(at + c * spec.scores.stride), c);
  for (unsigned v = 0; v < V; ++v) settle(spec, least_class, from, first + v, best, v);
}

/// Appends what every lane found to the list, of anchors from `first` on: one reservation a warp.
template <unsigned V, class Warp, class Best>
PENSTOCK_PORTABLE void append(Warp& warp, Best& best, std::uint32_t first, const candidate_list& list) {
  std::uint32_t found[V];
  unsigned total = 0;
  for (unsigned v = 0; v < V; ++v) {
    found[v] = warp.ballot([&](unsigned lane) { return best[lane].passes[v]; });
    total += ones(found[v]);
  }
  if (total == 0) return;
  auto at = warp.reserve(*list.count, total);
  for (unsigned v = 0; v < V; ++v) {
    warp.each([&](unsigned lane) {
      if (!best[lane].passes[v]) return;
      const auto anchor = first + lane * V + v;
      list.keys[at + ones(found[v] & ((1U << lane) - 1))] = key_of(best[lane].score[v], anchor);
      list.classes[anchor] = best[lane].class_index[v];
    });
    at += ones(found[v]);
  }
}

/// A warp's 32 V anchors from `first` on, of any strides: reads are coalesced where anchors lie side by side.
template <unsigned V, class Warp, class T>
PENSTOCK_PORTABLE void scan_planes(Warp& warp, const object_spec& spec, float least_class, const score_view<T>& from,
                                   std::uint32_t first, const candidate_list& list) {
  typename Warp::template local<best_scores<V>> best;
  warp.each([&](unsigned lane) {
    const auto anchor = first + lane * V;
    if (anchor < spec.anchors) {
      scan_anchors<V>(spec, least_class, from, anchor, best[lane]);
    } else {
      best[lane].clear();
    }
  });
  append<V>(warp, best, first, list);
}

inline constexpr unsigned row_part = 16; ///< rows whose numbers are on their way at the same time

/// A warp's 32 anchors from `first` on, each a row of scores side by side: rows are read along their classes, and
/// turned in shared memory, so that each lane looks through its own.
template <class Warp, class T>
PENSTOCK_PORTABLE void scan_rows(Warp& warp, float (*tile)[33], const object_spec& spec, float least_class,
                                 const score_view<T>& from, std::uint32_t first, const candidate_list& list) {
  typename Warp::template local<best_scores<1>> best;
  const auto classes = static_cast<std::uint32_t>(spec.classes);
  const auto row_stride = spec.scores.anchor_stride;
  // scores are at most 1 beside objectness, so rows below the least score need not be read
  const auto rows = warp.ballot([&](unsigned lane) {
    best[lane].clear();
    const auto anchor = first + lane;
    if (anchor >= spec.anchors) return false;
    if (from.objectness == nullptr || spec.rule != score_rule::best_class) return true;
    return to_float(from.objectness[anchor * spec.objectness->anchor_stride]) >= spec.score;
  });
  if (rows == 0) return;
  const auto* at = from.scores + first * row_stride;
  for (std::uint32_t c = 0; c < classes; c += 32) {
    const auto columns = classes - c < 32 ? classes - c : 32;
    warp.each([&](unsigned lane) {
      for (unsigned part = 0; part < 32; part += row_part) {
        float numbers[row_part];
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
        for (unsigned r = 0; r < row_part; ++r) {
          const bool wanted = lane < columns && ((rows >> (part + r)) & 1U) != 0;
          numbers[r] = wanted ? to_float(at[(part + r) * row_stride + c + lane]) : 0;
        }
#if defined(__CUDA_ARCH__)
#pragma unroll
#endif
        for (unsigned r = 0; r < row_part; ++r) tile[part + r][lane] = numbers[r];
      }
    });
    warp.each([&](unsigned lane) {
      if (((rows >> lane) & 1U) == 0) return;
      for (std::uint32_t i = 0; i < columns; ++i) best[lane].see(0, tile[lane][i], c + i);
    });
  }
  warp.each([&](unsigned lane) {
    if (((rows >> lane) & 1U) != 0) settle(spec, least_class, from, first + lane, best[lane], 0);
  });
  append<1>(warp, best, first, list);
}

/// Whether `scan_rows` reads these better than `scan_planes`.
inline bool in_rows(const object_spec& spec) noexcept {
  return !spec.labels && spec.scores.stride == 1 && spec.scores.anchor_stride != 1 && spec.classes > 8;
}

} // namespace penstock::kernels::decoding
