#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/sampling.hpp"

/// How most pictures are sampled: bilinear, bytes in two or three planes, four neighbouring pixels of a tensor's row at
/// once, and then those below them. What depends on columns alone is worked out once for all rows.
namespace penstock::kernels::strip {

inline constexpr int pixels = 4;
inline constexpr int most_rows = 16;

/// Whether a frame can be sampled so: `sample_at` reads the neighbour of every sample, by offsets of 32 bits.
[[nodiscard]] inline bool serves(const sampled_frame& frame) noexcept {
  const bool pairs = frame.kind == sample_class::pairs;
  if (!pairs && (frame.kind != sample_class::planar || frame.pixel_bytes[0] != 1 || frame.pixel_bytes[1] != 1))
    return false;
  if (frame.left >= frame.right || frame.top >= frame.bottom) return false;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto& column = frame.columns[c == 0 ? 0 : 1];
    const auto& row = frame.rows[c == 0 ? 0 : 1];
    if (column.area != 0 || row.area != 0 || column.samples < 2 || row.samples < 2) return false;
    constexpr auto most = std::int64_t{1} << 32;
    if (frame.strides_bytes[c] < 0 || frame.strides_bytes[c] >= most / row.samples) return false;
  }
  return frame.strides_bytes[1] == frame.strides_bytes[2];
}

/// Samples `first` and `first` + 1 of an axis with weights 1 - tail and tail.
struct tap {
  std::uint32_t first = 0;
  float tail = 0;
};

[[nodiscard]] PENSTOCK_PORTABLE tap tap_of(const sampled_axis& axis, std::int32_t pixel) {
  constexpr auto one = std::int64_t{1} << 40;
  const auto centre = axis.start + pixel * axis.step + axis.step / 2 - one / 2;
  const auto left = static_cast<std::int32_t>(centre >> 40);
  if (left < 0) return {0, 0};
  if (left >= axis.samples - 1) return {static_cast<std::uint32_t>(axis.samples - 2), 1};
  // the fraction's upper 24 bits, which are what a float holds
  return {static_cast<std::uint32_t>(left),
          static_cast<float>(static_cast<std::uint32_t>(centre >> 16) & 0xffffffU) * 0x1p-24F};
}

/// The nearest pixel of [begin, end), counted from its beginning.
[[nodiscard]] PENSTOCK_PORTABLE std::int32_t inside(std::int32_t pixel, std::int32_t begin, std::int32_t end) {
  const auto last = pixel < end ? pixel : end - 1;
  return last > begin ? last - begin : 0;
}

/// Rows [begin, end) of a tensor.
struct row_range {
  std::int32_t begin = 0;
  std::int32_t end = 0;
};

/// Those of the range that the picture covers; where there are none, an empty range inside of it.
[[nodiscard]] PENSTOCK_PORTABLE row_range covered_rows(const sampled_frame& frame, row_range rows) {
  const auto at = [rows](std::int32_t y) { return y < rows.begin ? rows.begin : y < rows.end ? y : rows.end; };
  return {at(frame.top), at(frame.bottom)};
}

/// Where a row of pixels lies: offsets in bytes of the upper rows of samples, and weights of the lower ones.
struct alignas(16) row_taps {
  std::uint32_t luma = 0;
  float luma_tail = 0;
  std::uint32_t chroma = 0;
  float chroma_tail = 0;
};

[[nodiscard]] PENSTOCK_PORTABLE row_taps rows_of(const sampled_frame& frame, std::int32_t y) {
  const auto row = inside(y, frame.top, frame.bottom);
  const auto luma = tap_of(frame.rows[0], row);
  const auto chroma = tap_of(frame.rows[1], row);
  return {luma.first * static_cast<std::uint32_t>(frame.strides_bytes[0]), luma.tail,
          chroma.first * static_cast<std::uint32_t>(frame.strides_bytes[1]), chroma.tail};
}

/// Where the columns of four pixels lie: offsets in bytes of the left samples, and weights of the right ones.
struct column_taps {
  std::uint32_t luma[pixels];
  float luma_tail[pixels];
  std::uint32_t chroma[pixels];
  float chroma_tail[pixels];
  std::uint32_t covered = 0; ///< by the picture: a bit each
  std::uint32_t exponent;    ///< of 2^23: as a constant, compilers would fetch it again for each of its uses
};

template <sample_class Kind>
[[nodiscard]] PENSTOCK_PORTABLE column_taps columns_of(const sampled_frame& frame, std::int32_t x) {
  column_taps taps;
  for (int i = 0; i < pixels; ++i) {
    const auto column = inside(x + i, frame.left, frame.right);
    const auto luma = tap_of(frame.columns[0], column);
    const auto chroma = tap_of(frame.columns[1], column);
    taps.luma[i] = luma.first;
    taps.luma_tail[i] = luma.tail;
    taps.chroma[i] = Kind == sample_class::pairs ? 2 * chroma.first : chroma.first;
    taps.chroma_tail[i] = chroma.tail;
    if (x + i >= frame.left && x + i < frame.right) taps.covered |= 1U << i;
  }
  taps.exponent = 0x4b000000U | taps.luma[0] >> 31; // which is 0
  return taps;
}

/// Whether some column has weight on the right sample of luma; none where a picture is reduced to a third.
[[nodiscard]] PENSTOCK_PORTABLE bool has_tails(const column_taps& taps) {
  return taps.luma_tail[0] != 0 || taps.luma_tail[1] != 0 || taps.luma_tail[2] != 0 || taps.luma_tail[3] != 0;
}

/// 2^23 + a byte of a number (the lowest is 0): see `to_float`. Differences of two are exact.
template <int Byte>
[[nodiscard]] PENSTOCK_PORTABLE float raised(std::uint32_t number, std::uint32_t exponent) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(__byte_perm(number, exponent, 0x7440 + Byte));
#else
  return std::bit_cast<float>((number >> (8 * Byte) & 0xffU) | exponent);
#endif
}

/// Between two `raised` numbers, no longer raised.
[[nodiscard]] PENSTOCK_PORTABLE float between_raised(float p, float q, float tail) {
  return fmaf(q - p, tail, p - 0x1p23F);
}

/// Samples around a pixel: left and right of the upper row, then of the lower one.
struct corners {
  std::uint32_t samples[4];
};

template <class T>
[[nodiscard]] PENSTOCK_PORTABLE corners load_corners(const std::uint8_t* upper, const std::uint8_t* lower,
                                                     std::uint32_t at) {
  return {{load<T>(upper + at), load<T>(upper + at + sizeof(T)), load<T>(lower + at), load<T>(lower + at + sizeof(T))}};
}

template <int Byte>
[[nodiscard]] PENSTOCK_PORTABLE float interpolate(const corners& c, std::uint32_t exponent, float column_tail,
                                                  float row_tail) {
  const auto upper =
      between_raised(raised<Byte>(c.samples[0], exponent), raised<Byte>(c.samples[1], exponent), column_tail);
  const auto lower =
      between_raised(raised<Byte>(c.samples[2], exponent), raised<Byte>(c.samples[3], exponent), column_tail);
  return fmaf(lower - upper, row_tail, upper);
}

/// What is the same for threads that run together.
struct shared_traits {
  bool tails = true;  ///< whether some column has weight on the right sample of luma
  bool whole = false; ///< whether the picture covers all columns
};

template <sample_class Kind>
PENSTOCK_PORTABLE void sample_covered(const sampled_frame& frame, const color_rule& rule, const column_taps& column,
                                      const row_taps& row, bool tails, float (&out)[3][pixels]) {
  constexpr bool pairs = Kind == sample_class::pairs;
  // what is always read is asked for before anything is used
  corners u[pixels];
  corners v[pixels];
  std::uint32_t y[pixels];
  const auto* upper_u = frame.components[1] + row.chroma;
  const auto* upper_v = frame.components[2] + row.chroma;
  const auto* upper_y = frame.components[0] + row.luma;
  for (int i = 0; i < pixels; ++i) {
    using sample = std::conditional_t<pairs, std::uint16_t, std::uint8_t>;
    u[i] = load_corners<sample>(upper_u, upper_u + frame.strides_bytes[1], column.chroma[i]);
    if constexpr (!pairs) v[i] = load_corners<sample>(upper_v, upper_v + frame.strides_bytes[1], column.chroma[i]);
  }
  for (int i = 0; i < pixels; ++i) y[i] = load<std::uint8_t>(upper_y + column.luma[i]);
  const auto e = column.exponent;
  float luma[pixels];
  if (row.luma_tail != 0) {
    corners c[pixels];
    for (int i = 0; i < pixels; ++i)
      c[i] = load_corners<std::uint8_t>(upper_y, upper_y + frame.strides_bytes[0], column.luma[i]);
    for (int i = 0; i < pixels; ++i) luma[i] = interpolate<0>(c[i], e, column.luma_tail[i], row.luma_tail);
  } else if (tails) {
    std::uint32_t right[pixels];
    for (int i = 0; i < pixels; ++i) right[i] = load<std::uint8_t>(upper_y + column.luma[i] + 1);
    for (int i = 0; i < pixels; ++i)
      luma[i] = between_raised(raised<0>(y[i], e), raised<0>(right[i], e), column.luma_tail[i]);
  } else {
    for (int i = 0; i < pixels; ++i) luma[i] = raised<0>(y[i], e) - 0x1p23F;
  }
  for (int i = 0; i < pixels; ++i) {
    const auto a = interpolate<0>(u[i], e, column.chroma_tail[i], row.chroma_tail);
    const auto b = interpolate < pairs ? 1 : 0 > (pairs ? u[i] : v[i], e, column.chroma_tail[i], row.chroma_tail);
    for (int k = 0; k < 3; ++k) {
      const auto sum =
          fmaf(b, rule.factors[k][2], fmaf(a, rule.factors[k][1], fmaf(luma[i], rule.factors[k][0], rule.offset[k])));
      out[k][i] = fmaf(saturate(sum), rule.gain[k], rule.bias[k]);
    }
  }
}

/// The colours of four pixels of a row that the picture covers.
template <sample_class Kind>
PENSTOCK_PORTABLE void sample_row(const sampled_frame& frame, const color_rule& rule, const column_taps& column,
                                  const row_taps& row, shared_traits traits, float (&out)[3][pixels]) {
  sample_covered<Kind>(frame, rule, column, row, traits.tails, out);
  if (traits.whole) return;
  for (int k = 0; k < 3; ++k)
    for (int i = 0; i < pixels; ++i)
      if ((column.covered >> i & 1U) == 0) out[k][i] = rule.pad[k];
}

} // namespace penstock::kernels::strip
