// The horizontal taps and the colours: rows of samples to one row of each of the tensor's channels.
// Included once per instruction set.
#if defined(PENSTOCK_KERNELS_HORIZONTAL) == defined(HWY_TARGET_TOGGLE)
#ifdef PENSTOCK_KERNELS_HORIZONTAL
#undef PENSTOCK_KERNELS_HORIZONTAL
#else
#define PENSTOCK_KERNELS_HORIZONTAL
#endif

#include <hwy/highway.h>

#include <array>
#include <vector>

#include "kernels/cpu/frame_job.hpp"

HWY_BEFORE_NAMESPACE();
namespace penstock::kernels::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::ScalableTag<float> df;
constexpr hn::RebindToSigned<decltype(df)> di;

/// The horizontal taps of the pixels x…: samples minus 128.
template <bool OnePair>
HWY_INLINE hn::Vec<decltype(df)> sample_at(const column_taps& taps, const std::uint16_t* row, std::size_t x) {
  const auto* weights = taps.weights.data() + 2 * x;
  const int pairs = OnePair ? 1 : taps.pairs;
#if HWY_TARGET == HWY_SCALAR
  std::int32_t sum = 0;
  for (int k = 0; k < pairs; ++k, weights += 2 * taps.padded) {
    const auto* pair = row + taps.offsets[x] / 2 + 2 * k;
    sum += static_cast<std::int16_t>(pair[0]) * weights[0] + static_cast<std::int16_t>(pair[1]) * weights[1];
  }
  const auto sums = hn::Set(di, sum);
#else
  constexpr hn::Repartition<std::int16_t, decltype(df)> di16;
  const auto offsets = hn::LoadU(di, taps.offsets.data() + x);
  const auto* base = reinterpret_cast<const std::int32_t*>(row);
  auto even = hn::Zero(di);
  auto odd = even;
  for (int k = 0; k < pairs; ++k, weights += 2 * taps.padded) {
    even = hn::ReorderWidenMulAccumulate(di, hn::BitCast(di16, hn::GatherOffset(di, base + k, offsets)),
                                         hn::LoadU(di16, weights), even, odd);
  }
  const auto sums = hn::RearrangeToOddPlusEven(even, odd);
#endif
  return hn::Mul(hn::ConvertTo(df, sums), hn::Set(df, 0x1p-22F));
}

using f32_vector = hn::Vec<decltype(df)>;

/// Factors and offsets for samples minus 128.
struct centred_color {
  color_map map;
  std::array<float, 3> offset{};

  explicit centred_color(const color_map& m) noexcept : map{m} {
    for (std::size_t c = 0; c < 3; ++c)
      offset[c] = m.offset[c] + 128 * (m.factors[c][0] + m.factors[c][1] + m.factors[c][2]);
  }
};

/// The tensor's channels of the pixels x… from samples minus 128.
template <bool Gray>
HWY_INLINE void convert_at(const centred_color& color, f32_vector a, f32_vector b, f32_vector c, std::size_t x,
                           const std::array<float*, 3>& out) {
  const auto& m = color.map;
  for (std::size_t k = 0; k < 3; ++k) {
    auto v = hn::MulAdd(a, hn::Set(df, m.factors[k][0]), hn::Set(df, color.offset[k]));
    if constexpr (!Gray) {
      v = hn::MulAdd(b, hn::Set(df, m.factors[k][1]), v);
      v = hn::MulAdd(c, hn::Set(df, m.factors[k][2]), v);
    }
    hn::StoreU(hn::Min(hn::Max(v, hn::Set(df, m.low[k])), hn::Set(df, m.high[k])), df, out[k] + x);
  }
}

/// One row of the tensor's channels from blended rows.
template <bool OnePair, bool Gray>
void convert_row(const frame_job& job, const centred_color& shared_color, const std::array<std::uint16_t*, 3>& rows,
                 const std::array<float*, 3>& shared_out) {
  // copies that the stores below cannot change
  const auto color = shared_color;
  const auto out = shared_out;
  const auto& luma = *job.planes[0].columns;
  const auto& chroma = *job.planes[job.plane_count - 1].columns;
  const auto width = static_cast<std::size_t>(job.right - job.left);
  for (std::size_t x = 0; x < width; x += hn::Lanes(df)) {
    const auto a = sample_at<OnePair>(luma, rows[0], x);
    if constexpr (Gray) {
      convert_at<true>(color, a, a, a, x, out);
    } else {
      const auto b = sample_at<OnePair>(chroma, rows[1], x);
      const auto c = sample_at<OnePair>(chroma, rows[2], x);
      convert_at<false>(color, a, b, c, x, out);
    }
  }
}

/// The means of intervals of samples, minus 128.
void sample_intervals(const std::vector<interval>& intervals, const std::uint16_t* row, float* out) {
  for (const auto& i : intervals) {
    std::uint32_t inner = 0;
    for (auto x = i.first + 1; x < i.last; ++x) inner += row[x] ^ 0x8000U;
    const auto sum = static_cast<float>(inner) + i.head * static_cast<float>(row[i.first] ^ 0x8000) +
                     i.tail * static_cast<float>(row[i.last] ^ 0x8000);
    *out++ = sum * i.scale / 256 - 128;
  }
}

/// As `convert_row` for very large reductions.
void convert_row_wide(const frame_job& job, const centred_color& color, const std::array<std::uint16_t*, 3>& rows,
                      const std::array<float*, 3>& out) {
  const auto width = static_cast<std::size_t>(job.right - job.left);
  for (std::size_t k = 0; k < (job.gray ? 1 : 3); ++k) {
    const auto& taps = *job.planes[k == 0 ? 0 : job.plane_count - 1].columns;
    if (taps.pairs == 0) {
      sample_intervals(taps.intervals, rows[k], out[k]);
    } else {
      for (std::size_t x = 0; x < width; x += hn::Lanes(df))
        hn::StoreU(sample_at<false>(taps, rows[k], x), df, out[k] + x);
    }
  }
  for (std::size_t x = 0; x < width; x += hn::Lanes(df)) {
    const auto a = hn::LoadU(df, out[0] + x);
    if (job.gray) {
      convert_at<true>(color, a, a, a, x, out);
    } else {
      convert_at<false>(color, a, hn::LoadU(df, out[1] + x), hn::LoadU(df, out[2] + x), x, out);
    }
  }
}

using row_converter = void (*)(const frame_job&, const centred_color&, const std::array<std::uint16_t*, 3>&,
                               const std::array<float*, 3>&);

row_converter choose_converter(const frame_job& job) {
  const auto luma = job.planes[0].columns->pairs;
  const auto chroma = job.planes[job.plane_count - 1].columns->pairs;
  if (luma == 0 || chroma == 0) return convert_row_wide;
  const bool one = luma == 1 && chroma == 1;
  if (job.gray) return one ? convert_row<true, true> : convert_row<false, true>;
  return one ? convert_row<true, false> : convert_row<false, false>;
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace penstock::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
