#include "kernels/cpu/reference_preprocess.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "kernels/checks.hpp"
#include "kernels/convert.hpp"

namespace penstock::kernels {

namespace {

/// One component of a picture: sample (x, y) is at data[y * stride + x * pixel].
struct component {
  const std::uint8_t* data;
  std::ptrdiff_t stride;
  int pixel;
  int width;
  int height;
  double scale_x; ///< samples per source pixel
  double scale_y;
  bool wide; ///< the upper 10 of 16 bits

  [[nodiscard]] double at(int x, int y) const {
    const auto* sample = data + std::clamp(y, 0, height - 1) * stride + std::clamp(x, 0, width - 1) * pixel;
    return wide ? (sample[0] + 256 * sample[1]) / 64 / 4.0 : *sample;
  }
};

/// Weight of sample i in the resized pixel that covers [from, to) of the samples.
double weight(filter how, double from, double to, int i, int samples) {
  if (how == filter::area && to - from > 1) {
    to = std::min<double>(to, samples);
    return std::max(0.0, std::min<double>(i + 1, to) - std::max<double>(i, from)) / (to - from);
  }
  return std::max(0.0, 1 - std::abs((from + to) / 2 - 0.5 - i));
}

double sample(const component& c, filter how, double x0, double x1, double y0, double y1) {
  double sum = 0;
  for (int y = static_cast<int>(std::floor(y0)) - 1; y <= y1 + 1; ++y) {
    const auto wy = weight(how, y0, y1, y, c.height);
    if (wy == 0) continue;
    for (int x = static_cast<int>(std::floor(x0)) - 1; x <= x1 + 1; ++x) {
      const auto wx = weight(how, x0, x1, x, c.width);
      if (wx != 0) sum += wx * wy * c.at(x, y);
    }
  }
  return sum;
}

std::array<component, 3> components(const core::frame_view& f) {
  using core::pixel_format;
  std::array<component, 3> all{};
  const bool wide = f.format == pixel_format::p010;
  const bool semi_planar = f.format == pixel_format::nv12 || wide;
  const bool half_h = f.format == pixel_format::i420 || semi_planar;
  const bool half_w = f.format == pixel_format::i422 || half_h;
  const int bytes = wide ? 2 : 1;
  for (std::size_t i = 0; i < 3; ++i) {
    if (f.format == pixel_format::rgb24 || f.format == pixel_format::bgr24) {
      all[i] = {f.planes[0] + i, f.strides_bytes[0], 3, f.width_px, f.height_px, 1, 1, false};
    } else if (i == 0 || f.format == pixel_format::gray8) {
      all[i] = {f.planes[0], f.strides_bytes[0], bytes, f.width_px, f.height_px, 1, 1, wide};
    } else {
      const auto* data = semi_planar ? f.planes[1] + bytes * static_cast<int>(i - 1) : f.planes[i];
      all[i] = {data,
                f.strides_bytes[semi_planar ? 1 : i],
                semi_planar ? 2 * bytes : 1,
                half_w ? (f.width_px + 1) / 2 : f.width_px,
                half_h ? (f.height_px + 1) / 2 : f.height_px,
                half_w ? 0.5 : 1,
                half_h ? 0.5 : 1,
                wide};
    }
  }
  return all;
}

/// ITU-R BT.601 and BT.709.
std::array<double, 3> to_rgb(const core::frame_view& f, std::array<double, 3> s) {
  using core::pixel_format;
  if (f.format == pixel_format::rgb24) return s;
  if (f.format == pixel_format::bgr24) return {s[2], s[1], s[0]};
  const bool full = f.range == core::color_range::full;
  const auto unit = f.format == pixel_format::p010 ? 255.0 / 255.75 : 1; // white of 10 bits is 1023
  const auto y = full ? s[0] * unit : (s[0] - 16) * 255 / 219;
  if (f.format == pixel_format::gray8) return {y, y, y};
  const auto u = (s[1] - 128) * (full ? unit : 255.0 / 224);
  const auto v = (s[2] - 128) * (full ? unit : 255.0 / 224);
  if (f.matrix == core::color_matrix::bt601) return {y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u};
  return {y + 1.5748 * v, y - 0.187324 * u - 0.468124 * v, y + 1.8556 * u};
}

void store(const preprocess_spec& spec, void* data, std::size_t at, double value) {
  auto* out = static_cast<std::byte*>(data) + at * core::size_of(spec.type);
  const auto single = static_cast<float>(value);
  if (spec.type == core::element_type::f32) {
    std::memcpy(out, &single, sizeof single);
  } else if (spec.type == core::element_type::f16) {
    std::uint16_t half = 0;
    to_f16({&single, 1}, {&half, 1});
    std::memcpy(out, &half, sizeof half);
  } else {
    const bool u8 = spec.type == core::element_type::u8;
    *out = static_cast<std::byte>(std::lrint(std::clamp(single, u8 ? 0.0F : -128.0F, u8 ? 255.0F : 127.0F)));
  }
}

} // namespace

core::expected<void> reference_preprocess(const core::frame_view& frame, const preprocess_spec& spec,
                                          core::tensor_view slot) {
  if (auto ok = spec.validate(); !ok) return ok;
  if (frame.width_px < 1 || frame.height_px < 1)
    return core::fail(core::errc::invalid_argument, "a picture without pixels");
  if (auto ok = check_planes(frame); !ok) return ok;
  if (auto ok = check_slot(spec, slot); !ok) return ok;

  const auto g = map(spec, frame.width_px, frame.height_px);
  const auto all = components(frame);
  const auto step_x = static_cast<double>(frame.width_px) / g.resized_width_px;
  const auto step_y = static_cast<double>(frame.height_px) / g.resized_height_px;
  for (int y = 0; y < spec.height_px; ++y) {
    for (int x = 0; x < spec.width_px; ++x) {
      const auto rx = x - g.left_px;
      const auto ry = y - g.top_px;
      std::array<double, 3> color{spec.pad, spec.pad, spec.pad};
      if (rx >= 0 && ry >= 0 && rx < g.resized_width_px && ry < g.resized_height_px) {
        std::array<double, 3> samples{};
        for (std::size_t i = 0; i < 3; ++i) {
          const auto& c = all[i];
          samples[i] = sample(c, spec.filter, rx * step_x * c.scale_x, (rx + 1) * step_x * c.scale_x,
                              ry * step_y * c.scale_y, (ry + 1) * step_y * c.scale_y);
        }
        color = to_rgb(frame, samples);
        for (auto& v : color) v = std::clamp(v, 0.0, 255.0);
      }
      for (std::size_t c = 0; c < 3; ++c) {
        const auto value = color[spec.order == channel_order::rgb ? c : 2 - c];
        const auto pixel =
            static_cast<std::size_t>(y) * static_cast<std::size_t>(spec.width_px) + static_cast<std::size_t>(x);
        const auto area = static_cast<std::size_t>(spec.width_px) * static_cast<std::size_t>(spec.height_px);
        const auto at = spec.layout == core::tensor_layout::nchw ? c * area + pixel : 3 * pixel + c;
        store(spec, slot.data, at, (value - spec.mean[c]) * spec.scale[c]);
      }
    }
  }
  return {};
}

} // namespace penstock::kernels
