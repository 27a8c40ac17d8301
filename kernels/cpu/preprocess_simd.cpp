#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/preprocess_simd.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/convert.hpp"
#include "kernels/cpu/frame_job.hpp"

HWY_BEFORE_NAMESPACE();
namespace penstock::kernels::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::ScalableTag<std::uint16_t> d16;
constexpr hn::Rebind<std::uint8_t, decltype(d16)> d8;
constexpr hn::ScalableTag<float> df;
constexpr hn::RebindToSigned<decltype(df)> di;

using u16_vector = hn::Vec<decltype(d16)>;

/// Samples x… of a row, shifted left, one vector per component.
template <int Components, int Shift>
HWY_INLINE void load_samples(const std::uint8_t* row, std::size_t x, u16_vector& a, u16_vector& b, u16_vector& c) {
  if constexpr (Components == 1) {
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
template <int Components, vertical Taps>
HWY_INLINE void blend_at(const std::uint8_t* row, const vertical_taps& taps, std::size_t x,
                         const std::array<std::uint16_t*, 3>& out) {
  auto a = hn::Zero(d16);
  auto b = a;
  auto c = a;
  const auto flip = hn::Set(d16, 0x8000);
  if constexpr (Taps == vertical::one) {
    hwy::Prefetch(row + taps.ahead + x * Components);
    load_samples<Components, 8>(row, x, a, b, c);
  } else if constexpr (Taps == vertical::two) {
    const auto w0 = hn::Set(d16, taps.w0);
    const auto w1 = hn::Set(d16, taps.w1);
    auto e = a;
    auto f = a;
    auto g = a;
    hwy::Prefetch(row + taps.ahead + x * Components);
    hwy::Prefetch(row + taps.ahead + taps.stride + x * Components);
    load_samples<Components, 0>(row, x, a, b, c);
    load_samples<Components, 0>(row + taps.stride, x, e, f, g);
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
      hwy::Prefetch(row + taps.ahead + x * Components);
      load_samples<Components, 8>(row, x, a, b, c);
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

template <int Components, vertical Taps>
void blend_row(const plane_job& plane, const tap_run& run, const tap_run& next,
               const std::array<std::uint16_t*, 3>& rows) {
  const auto out = rows;
  const vertical_taps taps{plane, run, next};
  const auto* row = plane.data + run.first * plane.stride_bytes;
  const auto n = hn::Lanes(d16);
  const auto width = static_cast<std::size_t>(plane.width);
  for (std::size_t x = 0; x + n <= width; x += n) blend_at<Components, Taps>(row, taps, x, out);
  if (width % n == 0) return;
  if (width > n) return blend_at<Components, Taps>(row, taps, width - n, out);
  // a picture narrower than a vector
  for (std::size_t i = 0; i < width * Components; ++i) {
    std::uint32_t sum = 0;
    for (std::int32_t k = 0; k < run.count; ++k)
      sum += row[k * taps.stride + static_cast<std::ptrdiff_t>(i)] * (run.count == 1 ? 1U << 16 : taps.weights[k]);
    out[i % Components][i / Components] = static_cast<std::uint16_t>((sum >> 8) ^ 0x8000U);
  }
}

template <int Components>
void blend_row(const plane_job& plane, const tap_run& run, const tap_run& next,
               const std::array<std::uint16_t*, 3>& out) {
  switch (run.count) {
  case 1: return blend_row<Components, vertical::one>(plane, run, next, out);
  case 2: return blend_row<Components, vertical::two>(plane, run, next, out);
  default: return blend_row<Components, vertical::any>(plane, run, next, out);
  }
}

/// As `blend_row`, exact for any number of taps.
void blend_row_wide(const plane_job& plane, const tap_run& run, std::uint32_t* sums,
                    const std::array<std::uint16_t*, 3>& out) {
  const auto* weights = plane.rows->weights.data() + run.at;
  const auto width = static_cast<std::size_t>(plane.width);
  const auto components = static_cast<std::size_t>(plane.components);
  for (std::size_t c = 0; c < components; ++c) {
    const auto* row = plane.data + run.first * plane.stride_bytes + c;
    std::fill_n(sums, width, 0U);
    for (std::int32_t k = 0; k < run.count; ++k, row += plane.stride_bytes) {
      const auto w = run.count == 1 ? 1U << 24 : weights[k];
      if (components == 1) {
        for (std::size_t x = 0; x < width; ++x) sums[x] += row[x] * w;
      } else {
        for (std::size_t x = 0; x < width; ++x) sums[x] += row[x * components] * w;
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
  if (plane.rows->wide) return blend_row_wide(plane, run, memory.sums, out);
  switch (plane.components) {
  case 1: return blend_row<1>(plane, run, next, out);
  case 2: return blend_row<2>(plane, run, next, out);
  default: return blend_row<3>(plane, run, next, out);
  }
}

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

/// Element `T` of a row's values; reads whole vectors, so `in` has slack.
void to_elements(core::element_type type, const float* in, std::size_t n, std::byte* out) {
  if (type == core::element_type::f32) {
    std::memcpy(out, in, n * sizeof(float));
    return;
  }
  if (type == core::element_type::f16) return to_f16({in, n}, {reinterpret_cast<std::uint16_t*>(out), n});
  const float low = type == core::element_type::u8 ? 0 : -128;
  const float high = type == core::element_type::u8 ? 255 : 127;
  HWY_ALIGN std::int32_t numbers[hn::MaxLanes(df)];
  for (std::size_t x = 0; x < n; x += hn::Lanes(df)) {
    const auto v = hn::Min(hn::Max(hn::LoadU(df, in + x), hn::Set(df, low)), hn::Set(df, high));
    hn::Store(hn::NearestInt(v), di, numbers);
    for (std::size_t i = 0; i < std::min(n - x, hn::Lanes(df)); ++i) out[x + i] = static_cast<std::byte>(numbers[i]);
  }
}

/// Writes row y of the tensor from rows of values.
void store_row(const frame_job& job, const scratch& memory, std::size_t y) {
  const auto width = static_cast<std::size_t>(job.tensor_width);
  const auto bytes = core::size_of(job.type);
  const auto row_bytes = width * bytes;
  if (job.layout == core::tensor_layout::nchw) {
    const auto plane_bytes = row_bytes * static_cast<std::size_t>(job.tensor_height);
    for (std::size_t c = 0; c < 3; ++c)
      to_elements(job.type, memory.values[c], width, job.slot + c * plane_bytes + y * row_bytes);
    return;
  }
  auto* out = job.slot + y * 3 * row_bytes;
  for (std::size_t c = 0; c < 3; ++c) {
    to_elements(job.type, memory.values[c], width, memory.packed);
    for (std::size_t x = 0; x < width; ++x) std::memcpy(out + (3 * x + c) * bytes, memory.packed + x * bytes, bytes);
  }
}

void run_job(const frame_job& job, const scratch& memory) {
  const auto width = static_cast<std::size_t>(job.tensor_width);
  const auto left = static_cast<std::size_t>(job.left);
  const auto right = static_cast<std::size_t>(job.right);
  const centred_color color{job.color};
  const auto convert = choose_converter(job);
  // values go straight into the slot where nothing has to be converted and vectors do not run over a row's end
  const bool direct = job.type == core::element_type::f32 && job.layout == core::tensor_layout::nchw && left == 0 &&
                      right == width && width % hn::Lanes(df) == 0;
  const auto area = width * static_cast<std::size_t>(job.tensor_height);

  for (std::size_t c = 0; c < 3; ++c) std::fill_n(memory.values[c], width, job.color.pad[c]);
  for (int y = 0; y < job.top; ++y) store_row(job, memory, static_cast<std::size_t>(y));
  for (int y = job.bottom; y < job.tensor_height; ++y) store_row(job, memory, static_cast<std::size_t>(y));

  for (int y = job.top; y < job.bottom; ++y) {
    for (std::size_t p = 0; p < job.plane_count; ++p)
      blend(job.planes[p], static_cast<std::size_t>(y - job.top), memory);
    std::array<float*, 3> out{};
    for (std::size_t c = 0; c < 3; ++c) {
      out[c] = direct ? reinterpret_cast<float*>(job.slot) + c * area + static_cast<std::size_t>(y) * width
                      : memory.values[c] + left;
    }
    convert(job, color, memory.blended, out);
    if (direct) continue;
    for (std::size_t c = 0; c < 3 && right < width; ++c)
      std::fill_n(memory.values[c] + right, width - right, job.color.pad[c]);
    store_row(job, memory, static_cast<std::size_t>(y));
  }
}

} // namespace

void run_here(const frame_job& job, const scratch& memory) { run_job(job, memory); }

} // namespace HWY_NAMESPACE
} // namespace penstock::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace penstock::kernels::cpu {

HWY_EXPORT(run_here);

void run(const frame_job& job, const scratch& memory) { HWY_DYNAMIC_DISPATCH(run_here)(job, memory); }

} // namespace penstock::kernels::cpu
#endif
