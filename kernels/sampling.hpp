#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/portable.hpp"

/// How CUDA kernels sample pictures: what depends on a frame as a flat descriptor that fits kernel parameters, and the
/// arithmetic of one pixel. `make_sampled_frame` (kernels/sampled_frame.hpp) fills the descriptor.
namespace penstock::kernels {

/// Where pixels lie among the samples of an axis, as the left edge of pixel p: start + p · step, in units of 2^-40
/// samples: no float is exact enough for pictures of any size, and doubles are slow on many GPUs.
struct sampled_axis {
  std::int64_t start = 0;
  std::int64_t step = 0;
  std::int32_t samples = 1;
  std::int32_t area = 0; ///< whether pixels are means of what they cover, not interpolated at their centres
};

/// The weighted samples of a pixel along an axis: head · s[first] + inner · (those between) + tail · s[last]. Where
/// first equals last, head is 1 and nothing else counts.
struct tap_span {
  std::int32_t first = 0;
  std::int32_t last = 0;
  float head = 1;
  float inner = 0;
  float tail = 0;
};

[[nodiscard]] PENSTOCK_PORTABLE tap_span span_of(const sampled_axis& axis, std::int32_t pixel) {
  constexpr auto one = std::int64_t{1} << 40;
  constexpr float unit = 0x1p-40F;
  const auto from = axis.start + pixel * axis.step;
  if (axis.area != 0) {
    const auto end = axis.samples * one;
    const auto to = from + axis.step < end ? from + axis.step : end;
    const auto first = static_cast<std::int32_t>(from >> 40);
    const auto last = static_cast<std::int32_t>((to - 1) >> 40);
    if (first >= last) return {last, last, 1, 0, 0};
    const auto inverse = 1 / (static_cast<float>(to - from) * unit);
    return {first, last, static_cast<float>((first + 1) * one - from) * unit * inverse, inverse,
            static_cast<float>(to - last * one) * unit * inverse};
  }
  const auto centre = from + axis.step / 2 - one / 2;
  const auto left = static_cast<std::int32_t>(centre >> 40);
  const auto fraction = static_cast<float>(centre & (one - 1)) * unit;
  if (left < 0) return {0, 0, 1, 0, 0};
  if (left >= axis.samples - 1) return {axis.samples - 1, axis.samples - 1, 1, 0, 0};
  if (fraction == 0) return {left, left, 1, 0, 0};
  return {left, left + 1, 1 - fraction, 0, fraction};
}

/// How samples lie in memory.
enum class sample_class : std::int32_t {
  gray,     ///< component 0 only, bytes
  planar,   ///< bytes, `pixel_bytes` from one to the next
  pairs,    ///< as nv12: components 1 and 2 side by side, aligned to 2 bytes
  planar16, ///< 16 bits of which the upper 10 count, `pixel_bytes` from one to the next
};

/// What samples become: colour k is gain[k] · s + bias[k], where s is Σ_j factors[k][j] · sample[j] + offset[k], but
/// not below 0 nor above 1, where GPUs cut for nothing.
struct color_rule {
  float factors[3][3] = {};
  float offset[3] = {};
  float gain[3] = {};
  float bias[3] = {};
  float pad[3] = {}; ///< where there is no picture

  bool operator==(const color_rule&) const = default;
};

/// A picture and what becomes of it.
struct sampled_frame {
  const std::uint8_t* components[3] = {};
  std::int64_t strides_bytes[3] = {};
  std::int32_t pixel_bytes[2] = {}; ///< of component 0; of 1 and 2
  sample_class kind = sample_class::planar;
  sampled_axis columns[2]; ///< of component 0; of 1 and 2
  sampled_axis rows[2];
  color_rule colors;
  std::int32_t left = 0; ///< tensor pixels that the picture covers: [left, right) × [top, bottom); axes start there
  std::int32_t right = 0;
  std::int32_t top = 0;
  std::int32_t bottom = 0;
};

/// Samples of components 1 and 2, or of one component as `a`.
struct sample_pair {
  float a = 0;
  float b = 0;
};

/// A number of one or two bytes.
template <class T>
[[nodiscard]] PENSTOCK_PORTABLE std::uint32_t load(const std::uint8_t* at) {
  static_assert(sizeof(T) <= 2);
#ifdef __CUDA_ARCH__
  return __ldg(reinterpret_cast<const T*>(at));
#else
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
#endif
}

[[nodiscard]] PENSTOCK_PORTABLE float saturate(float v) {
#ifdef __CUDA_ARCH__
  return __saturatef(v);
#else
  return fminf(fmaxf(v, 0), 1);
#endif
}

/// A number below 2^23 as a float. Not by a conversion, of which GPUs do few at a time: written behind the exponent of
/// 2^23 it is a float already.
[[nodiscard]] PENSTOCK_PORTABLE float to_float(std::uint32_t number) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(number | 0x4b000000U) - 0x1p23F;
#else
  return static_cast<float>(number);
#endif
}

/// Sample x of rows a (and b, of the second component).
template <sample_class Kind, bool Chroma>
[[nodiscard]] PENSTOCK_PORTABLE sample_pair sample_at(const std::uint8_t* a, const std::uint8_t* b,
                                                      std::int32_t pixel_bytes, std::int32_t x) {
  if constexpr (Kind == sample_class::pairs && Chroma) {
    const std::uint32_t both = load<std::uint16_t>(a + 2 * x);
    return {to_float(both & 0xff), to_float(both >> 8)};
  } else {
    const auto at = Kind == sample_class::planar || Kind == sample_class::planar16 ? x * pixel_bytes : x;
    const auto number = [at](const std::uint8_t* row) {
      if constexpr (Kind == sample_class::planar16)
        return to_float(load<std::uint16_t>(row + at) >> 6U);
      else
        return to_float(load<std::uint8_t>(row + at));
    };
    return {number(a), Chroma ? number(b) : 0};
  }
}

/// Component 0, or components 1 and 2, of the pixel with these taps. Without `Area` spans hold at most two samples.
template <sample_class Kind, bool Area, bool Chroma>
[[nodiscard]] PENSTOCK_PORTABLE sample_pair sample_component(const sampled_frame& frame, const tap_span& column,
                                                             const tap_span& row) {
  constexpr int c = Chroma ? 1 : 0;
  const auto* a = frame.components[c] + row.first * frame.strides_bytes[c];
  const auto* b = Chroma ? frame.components[2] + row.first * frame.strides_bytes[2] : nullptr;
  const auto at = [&](const std::uint8_t* p, const std::uint8_t* q, std::int32_t x) {
    return sample_at<Kind, Chroma>(p, q, frame.pixel_bytes[c], x);
  };
  if constexpr (!Area) {
    const auto s = at(a, b, column.first);
    const auto t = at(a, b, column.last);
    sample_pair u;
    sample_pair v;
    if (row.last != row.first) { // all threads of a warp agree
      a += frame.strides_bytes[c];
      if (Chroma) b += frame.strides_bytes[2];
      u = at(a, b, column.first);
      v = at(a, b, column.last);
    }
    return {(s.a * column.head + t.a * column.tail) * row.head + (u.a * column.head + v.a * column.tail) * row.tail,
            (s.b * column.head + t.b * column.tail) * row.head + (u.b * column.head + v.b * column.tail) * row.tail};
  } else {
    sample_pair sum;
    sample_pair part; // of up to 256 rows, so that long sums stay exact
    for (auto y = row.first; y <= row.last; ++y) {
      const auto s = at(a, b, column.first);
      sample_pair line{s.a * column.head, s.b * column.head};
      sample_pair between;
      for (auto x = column.first + 1; x < column.last; ++x) {
        const auto m = at(a, b, x);
        between.a += m.a;
        between.b += m.b;
      }
      const auto t = at(a, b, column.last);
      line.a += between.a * column.inner + t.a * column.tail;
      line.b += between.b * column.inner + t.b * column.tail;
      const auto weight = y == row.first ? row.head : y == row.last ? row.tail : row.inner;
      part.a += line.a * weight;
      part.b += line.b * weight;
      if (y % 256 == 255) {
        sum.a += part.a;
        sum.b += part.b;
        part = {};
      }
      a += frame.strides_bytes[c];
      if (Chroma) b += frame.strides_bytes[2];
    }
    return {sum.a + part.a, sum.b + part.b};
  }
}

/// Taps of a pixel: of component 0; of components 1 and 2.
struct pixel_taps {
  tap_span luma;
  tap_span chroma;
};

struct color {
  float values[3];
};

/// The colours of the pixel with these taps.
template <sample_class Kind, bool Area>
[[nodiscard]] PENSTOCK_PORTABLE color sample_pixel(const sampled_frame& frame, const pixel_taps& column,
                                                   const pixel_taps& row) {
  const auto luma = sample_component<Kind, Area, false>(frame, column.luma, row.luma);
  sample_pair chroma;
  if constexpr (Kind != sample_class::gray)
    chroma = sample_component<Kind, Area, true>(frame, column.chroma, row.chroma);
  const auto& rule = frame.colors;
  color out;
  for (int k = 0; k < 3; ++k) {
    auto v = fmaf(luma.a, rule.factors[k][0], rule.offset[k]);
    if constexpr (Kind != sample_class::gray)
      v = fmaf(chroma.b, rule.factors[k][2], fmaf(chroma.a, rule.factors[k][1], v));
    out.values[k] = fmaf(saturate(v), rule.gain[k], rule.bias[k]);
  }
  return out;
}

/// Calls `body` with a tag (`tag.value`) of the kind, so that it is known at compile time.
template <sample_class Kind>
struct kind_tag {
  static constexpr sample_class value = Kind;
};

template <class F>
PENSTOCK_PORTABLE void with_kind(sample_class kind, F&& body) {
  switch (kind) {
  case sample_class::gray: return body(kind_tag<sample_class::gray>{});
  case sample_class::planar: return body(kind_tag<sample_class::planar>{});
  case sample_class::pairs: return body(kind_tag<sample_class::pairs>{});
  case sample_class::planar16: return body(kind_tag<sample_class::planar16>{});
  }
}

} // namespace penstock::kernels
