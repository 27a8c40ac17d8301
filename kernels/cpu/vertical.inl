// The vertical taps: rows of a plane to one row of 8.8 fixed-point samples.
// Included once per instruction set.
#if defined(PENSTOCK_KERNELS_VERTICAL) == defined(HWY_TARGET_TOGGLE)
#ifdef PENSTOCK_KERNELS_VERTICAL
#undef PENSTOCK_KERNELS_VERTICAL
#else
#define PENSTOCK_KERNELS_VERTICAL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>

#include "kernels/cpu/frame_job.hpp"

HWY_BEFORE_NAMESPACE();
namespace penstock::kernels::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::ScalableTag<std::uint16_t> d16;
constexpr hn::Rebind<std::uint8_t, decltype(d16)> d8;

using u16_vector = hn::Vec<decltype(d16)>;

/// The bits of 16 that count (p010).
constexpr std::uint16_t upper_10 = 0xffc0;

/// Samples x… of a row, shifted left, one vector per component. 16-bit samples are as bytes shifted by 8.
template <int Components, int Shift, class Sample>
HWY_INLINE void load_samples(const std::uint8_t* row, std::size_t x, u16_vector& a, u16_vector& b, u16_vector& c) {
  if constexpr (sizeof(Sample) == 2) {
    static_assert(Shift == 8 && Components <= 2);
    const auto* samples = reinterpret_cast<const Sample*>(row);
    const auto mask = hn::Set(d16, upper_10);
    if constexpr (Components == 1) {
      a = hn::And(hn::LoadU(d16, samples + x), mask);
    } else {
      hn::LoadInterleaved2(d16, samples + 2 * x, a, b);
      a = hn::And(a, mask);
      b = hn::And(b, mask);
    }
    return;
  } else if constexpr (Components == 1) {
    a = hn::PromoteTo(d16, hn::LoadU(d8, row + x));
  } else if constexpr (Components == 2) {
#if HWY_TARGET == HWY_SCALAR
    a = hn::Set(d16, row[2 * x]);
    b = hn::Set(d16, row[2 * x + 1]);
#else
    // pairs read as 16-bit numbers: the first component is the low byte
    const auto pairs = hn::BitCast(d16, hn::LoadU(hn::Repartition<std::uint8_t, decltype(d16)>{}, row + 2 * x));
    a = hn::And(pairs, hn::Set(d16, 0xff));
    b = hn::ShiftRight<8>(pairs);
#endif
  } else {
    auto r = hn::Undefined(d8);
    auto g = r;
    auto s = r;
    hn::LoadInterleaved3(d8, row + 3 * x, r, g, s);
    a = hn::PromoteTo(d16, r);
    b = hn::PromoteTo(d16, g);
    c = hn::PromoteTo(d16, s);
  }
  if constexpr (Shift != 0) {
    a = hn::ShiftLeft<Shift>(a);
    if constexpr (Components > 1) b = hn::ShiftLeft<Shift>(b);
    if constexpr (Components > 2) c = hn::ShiftLeft<Shift>(c);
  }
}

/// One sample, two by linear interpolation with 8-bit weights (no product is lost), or any number with 16-bit weights.
enum class vertical { one, two, any };

/// A run's taps in local values, which the stores of samples cannot change.
struct vertical_taps {
  std::ptrdiff_t stride;
  std::ptrdiff_t ahead; ///< to the same tap of the next row, which is fetched meanwhile: rows are too far apart for
                        ///< the hardware to guess
  std::int32_t count;
  const std::uint32_t* weights;
  std::uint16_t w0; ///< of two taps, in 1/256
  std::uint16_t w1;

  vertical_taps(const plane_job& plane, const tap_run& run, const tap_run& next)
      : stride{plane.stride_bytes}, ahead{(next.first - run.first) * stride}, count{run.count},
        weights{plane.rows->weights.data() + run.at}, w0{static_cast<std::uint16_t>(weights[0] >> 8)},
        w1{static_cast<std::uint16_t>(256 - w0)} {}
};

/// The vertical taps of the samples x….
template <int Components, vertical Taps, class Sample>
HWY_INLINE void blend_at(const std::uint8_t* row, const vertical_taps& taps, std::size_t x,
                         const std::array<std::uint16_t*, 3>& out) {
  auto a = hn::Zero(d16);
  auto b = a;
  auto c = a;
  const auto flip = hn::Set(d16, 0x8000);
  constexpr auto pixel = Components * sizeof(Sample);
  if constexpr (Taps == vertical::one) {
    hwy::Prefetch(row + taps.ahead + x * pixel);
    load_samples<Components, 8, Sample>(row, x, a, b, c);
  } else if constexpr (Taps == vertical::two) {
    const auto w0 = hn::Set(d16, taps.w0);
    const auto w1 = hn::Set(d16, taps.w1);
    auto e = a;
    auto f = a;
    auto g = a;
    hwy::Prefetch(row + taps.ahead + x * pixel);
    hwy::Prefetch(row + taps.ahead + taps.stride + x * pixel);
    load_samples<Components, 0, Sample>(row, x, a, b, c);
    load_samples<Components, 0, Sample>(row + taps.stride, x, e, f, g);
    a = hn::Add(hn::Mul(a, w0), hn::Mul(e, w1));
    if constexpr (Components > 1) b = hn::Add(hn::Mul(b, w0), hn::Mul(f, w1));
    if constexpr (Components > 2) c = hn::Add(hn::Mul(c, w0), hn::Mul(g, w1));
  } else {
    // half of what the truncated products lose
    auto sum_a = hn::Set(d16, static_cast<std::uint16_t>(taps.count / 2));
    auto sum_b = sum_a;
    auto sum_c = sum_a;
    for (std::int32_t k = 0; k < taps.count; ++k, row += taps.stride) {
      const auto w = hn::Set(d16, static_cast<std::uint16_t>(taps.weights[k]));
      hwy::Prefetch(row + taps.ahead + x * pixel);
      load_samples<Components, 8, Sample>(row, x, a, b, c);
      sum_a = hn::Add(sum_a, hn::MulHigh(a, w));
      if constexpr (Components > 1) sum_b = hn::Add(sum_b, hn::MulHigh(b, w));
      if constexpr (Components > 2) sum_c = hn::Add(sum_c, hn::MulHigh(c, w));
    }
    a = sum_a;
    b = sum_b;
    c = sum_c;
  }
  hn::StoreU(hn::Xor(a, flip), d16, out[0] + x);
  if constexpr (Components > 1) hn::StoreU(hn::Xor(b, flip), d16, out[1] + x);
  if constexpr (Components > 2) hn::StoreU(hn::Xor(c, flip), d16, out[2] + x);
}

/// Sample i of a row in 8.8 fixed point.
template <class Sample>
std::uint64_t sample_in(const std::uint8_t* row, std::size_t i) {
  if constexpr (sizeof(Sample) == 1) return std::uint64_t{row[i]} << 8;
  return reinterpret_cast<const Sample*>(row)[i] & upper_10;
}

template <int Components, vertical Taps, class Sample>
void blend_row(const plane_job& plane, const tap_run& run, const tap_run& next,
               const std::array<std::uint16_t*, 3>& rows) {
  const auto out = rows;
  const vertical_taps taps{plane, run, next};
  const auto* row = plane.data + run.first * plane.stride_bytes;
  const auto n = hn::Lanes(d16);
  const auto width = static_cast<std::size_t>(plane.width);
  for (std::size_t x = 0; x + n <= width; x += n) blend_at<Components, Taps, Sample>(row, taps, x, out);
  if (width % n == 0) return;
  if (width > n) return blend_at<Components, Taps, Sample>(row, taps, width - n, out);
  // a picture narrower than a vector
  for (std::size_t i = 0; i < width * Components; ++i) {
    std::uint64_t sum = 0;
    for (std::int32_t k = 0; k < run.count; ++k)
      sum += sample_in<Sample>(row + k * taps.stride, i) * (run.count == 1 ? 1U << 16 : taps.weights[k]);
    out[i % Components][i / Components] = static_cast<std::uint16_t>((sum >> 16) ^ 0x8000U);
  }
}

template <int Components, class Sample = std::uint8_t>
void blend_row(const plane_job& plane, const tap_run& run, const tap_run& next,
               const std::array<std::uint16_t*, 3>& out) {
  if (run.count == 1) return blend_row<Components, vertical::one, Sample>(plane, run, next, out);
  if constexpr (sizeof(Sample) == 1)
    if (run.count == 2) return blend_row<Components, vertical::two, Sample>(plane, run, next, out);
  return blend_row<Components, vertical::any, Sample>(plane, run, next, out);
}

/// As `blend_row`, exact for any number of taps.
template <class Sample>
void blend_row_wide(const plane_job& plane, const tap_run& run, std::uint32_t* sums,
                    const std::array<std::uint16_t*, 3>& out) {
  const auto* weights = plane.rows->weights.data() + run.at;
  const auto width = static_cast<std::size_t>(plane.width);
  const auto components = static_cast<std::size_t>(plane.components);
  for (std::size_t c = 0; c < components; ++c) {
    const auto* row = plane.data + run.first * plane.stride_bytes;
    std::fill_n(sums, width, 0U);
    for (std::int32_t k = 0; k < run.count; ++k, row += plane.stride_bytes) {
      const auto w = run.count == 1 ? 1U << 24 : weights[k];
      if constexpr (sizeof(Sample) == 2) {
        for (std::size_t x = 0; x < width; ++x)
          sums[x] += static_cast<std::uint32_t>(sample_in<Sample>(row, x * components + c) * w >> 8);
      } else if (components == 1) {
        for (std::size_t x = 0; x < width; ++x) sums[x] += row[x] * w;
      } else {
        for (std::size_t x = 0; x < width; ++x) sums[x] += row[x * components + c] * w;
      }
    }
    for (std::size_t x = 0; x < width; ++x) out[c][x] = static_cast<std::uint16_t>((sums[x] >> 16) ^ 0x8000U);
  }
}

void blend(const plane_job& plane, std::size_t y, const scratch& memory) {
  const auto& runs = plane.rows->runs;
  const auto& run = runs[y];
  const auto& next = runs[std::min(y + 1, runs.size() - 1)];
  std::array<std::uint16_t*, 3> out{};
  for (std::size_t c = 0; c < static_cast<std::size_t>(plane.components); ++c) out[c] = memory.blended[plane.first + c];
  if (plane.sample_bytes == 2) {
    if (plane.rows->wide) return blend_row_wide<std::uint16_t>(plane, run, memory.sums, out);
    return plane.components == 1 ? blend_row<1, std::uint16_t>(plane, run, next, out)
                                 : blend_row<2, std::uint16_t>(plane, run, next, out);
  }
  if (plane.rows->wide) return blend_row_wide<std::uint8_t>(plane, run, memory.sums, out);
  switch (plane.components) {
  case 1: return blend_row<1>(plane, run, next, out);
  case 2: return blend_row<2>(plane, run, next, out);
  default: return blend_row<3>(plane, run, next, out);
  }
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace penstock::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
