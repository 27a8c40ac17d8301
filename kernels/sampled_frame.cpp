#include "kernels/sampled_frame.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/color.hpp"
#include "kernels/format_shape.hpp"

namespace penstock::kernels {

namespace {

__extension__ using wide = __int128;

/// Pixels `first`… of an axis on which each pixel covers num / den samples.
sampled_axis make_axis(int samples, std::int64_t num, std::int64_t den, std::int64_t first, filter how) noexcept {
  constexpr auto one = wide{1} << 40;
  sampled_axis axis;
  axis.start = static_cast<std::int64_t>(first * num * one / den);
  axis.step = static_cast<std::int64_t>((num * one + den / 2) / den);
  axis.samples = samples;
  axis.area = how == filter::area && num > den;
  return axis;
}

/// Everything but axes, colours and the place in the tensor.
sampled_frame components_of(const core::frame_view& frame) noexcept {
  const auto shape = shape_of(frame.format);
  sampled_frame s;
  const auto set = [&](std::size_t component, std::size_t plane, int offset) {
    s.components[component] = frame.planes[plane] + offset;
    s.strides_bytes[component] = frame.strides_bytes[plane];
  };
  s.pixel_bytes[0] = shape.components * shape.sample_bytes;
  s.pixel_bytes[1] = shape.chroma_components * shape.sample_bytes;
  set(0, 0, 0);
  if (shape.planes == 3) {
    set(1, 1, 0);
    set(2, 2, 0);
  } else if (shape.planes == 2) {
    set(1, 1, 0);
    set(2, 1, shape.sample_bytes);
    const bool aligned = reinterpret_cast<std::uintptr_t>(frame.planes[1]) % 2 == 0 && frame.strides_bytes[1] % 2 == 0;
    if (shape.sample_bytes == 2)
      s.kind = sample_class::planar16;
    else if (aligned)
      s.kind = sample_class::pairs;
  } else if (shape.components == 3) {
    set(1, 0, 1);
    set(2, 0, 2);
    s.pixel_bytes[1] = 3;
  } else {
    s.kind = sample_class::gray;
  }
  return s;
}

color_rule rule_of(const cpu::color_map& map, core::pixel_format format) noexcept {
  color_rule s;
  // samples of 10 bits count in quarters of those of 8 bits
  const auto unit = format == core::pixel_format::p010 ? 0.25 : 1.0;
  for (std::size_t k = 0; k < 3; ++k) {
    const auto gain = static_cast<double>(map.high[k]) - map.low[k];
    const auto part = gain > 0 ? 1 / gain : 0; // without a gain there is but one value
    for (std::size_t j = 0; j < 3; ++j) s.factors[k][j] = static_cast<float>(map.factors[k][j] * unit * part);
    s.offset[k] = static_cast<float>((static_cast<double>(map.offset[k]) - map.low[k]) * part);
    s.gain[k] = static_cast<float>(gain);
    s.bias[k] = map.low[k];
    s.pad[k] = map.pad[k];
  }
  return s;
}

} // namespace

sampled_frame make_sampled_frame(const preprocess_spec& spec, const core::frame_view& frame) noexcept {
  const auto shape = shape_of(frame.format);
  const auto g = map(spec, frame.width_px, frame.height_px);
  auto s = components_of(frame);
  s.left = std::max(0, g.left_px);
  s.right = std::min(spec.width_px, g.left_px + g.resized_width_px);
  s.top = std::max(0, g.top_px);
  s.bottom = std::min(spec.height_px, g.top_px + g.resized_height_px);
  for (std::size_t c = 0; c < 2; ++c) {
    const auto half_x = c == 1 && shape.half_width ? 2 : 1;
    const auto half_y = c == 1 && shape.half_height ? 2 : 1;
    s.columns[c] = make_axis(shape.width(frame.width_px, c), frame.width_px, std::int64_t{half_x} * g.resized_width_px,
                             s.left - g.left_px, spec.filter);
    s.rows[c] = make_axis(shape.height(frame.height_px, c), frame.height_px, std::int64_t{half_y} * g.resized_height_px,
                          s.top - g.top_px, spec.filter);
  }
  s.colors = rule_of(cpu::make_color_map(spec, frame.format, frame.matrix, frame.range), frame.format);
  return s;
}

sampled_yuv make_sampled_yuv(const core::frame_view& frame, int width_px, int height_px) noexcept {
  const auto shape = shape_of(frame.format);
  const auto rgb = cpu::to_rgb(frame.format, frame.matrix, frame.range);
  constexpr double kr = 0.299, kg = 0.587, kb = 0.114;
  constexpr double to_yuv[3][3] = {
      {kr, kg, kb}, {-kr / (2 - 2 * kb), -kg / (2 - 2 * kb), 0.5}, {0.5, -kg / (2 - 2 * kr), -kb / (2 - 2 * kr)}};
  cpu::color_map colors;
  for (std::size_t k = 0; k < 3; ++k) {
    const auto sum = [&](std::size_t j) {
      return to_yuv[k][0] * rgb[0][j] + to_yuv[k][1] * rgb[1][j] + to_yuv[k][2] * rgb[2][j];
    };
    for (std::size_t j = 0; j < 3; ++j) colors.factors[k][j] = static_cast<float>(sum(j));
    colors.offset[k] = static_cast<float>(sum(3) + (k == 0 ? 0 : 128));
    colors.high[k] = 255;
  }
  sampled_yuv out;
  out.luma = components_of(frame);
  out.luma.colors = rule_of(colors, frame.format);
  out.chroma = out.luma;
  for (std::size_t c = 0; c < 2; ++c) {
    const auto half_x = c == 1 && shape.half_width ? 2 : 1;
    const auto half_y = c == 1 && shape.half_height ? 2 : 1;
    const auto columns = [&](int covered) {
      return make_axis(shape.width(frame.width_px, c), std::int64_t{covered} * frame.width_px,
                       std::int64_t{half_x} * width_px, 0, filter::bilinear);
    };
    const auto rows = [&](int covered) {
      return make_axis(shape.height(frame.height_px, c), std::int64_t{covered} * frame.height_px,
                       std::int64_t{half_y} * height_px, 0, filter::bilinear);
    };
    out.luma.columns[c] = columns(1);
    out.luma.rows[c] = rows(1);
    out.chroma.columns[c] = columns(2);
    out.chroma.rows[c] = rows(2);
  }
  return out;
}

bool takes_means(const sampled_frame& frame) noexcept {
  return frame.columns[0].area != 0 || frame.columns[1].area != 0 || frame.rows[0].area != 0 || frame.rows[1].area != 0;
}

} // namespace penstock::kernels
