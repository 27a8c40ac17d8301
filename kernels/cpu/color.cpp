#include "kernels/cpu/color.hpp"

#include <algorithm>
#include <cstddef>

namespace penstock::kernels::cpu {

affine to_rgb(core::pixel_format format, core::color_matrix matrix, core::color_range range) noexcept {
  using core::pixel_format;
  if (format == pixel_format::rgb24) return {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
  if (format == pixel_format::bgr24) return {{{0, 0, 1, 0}, {0, 1, 0, 0}, {1, 0, 0, 0}}};
  const bool limited = range == core::color_range::limited;
  const auto full = format == pixel_format::p010 ? 1020.0 / 1023 : 1.0; // white is 1023 there
  const auto y = limited ? 255.0 / 219 : full;
  const auto black = limited ? -16 * y : 0.0;
  if (format == pixel_format::gray8) return {{{y, 0, 0, black}, {y, 0, 0, black}, {y, 0, 0, black}}};
  const bool hd = matrix == core::color_matrix::bt709;
  const auto kr = hd ? 0.2126 : 0.299;
  const auto kb = hd ? 0.0722 : 0.114;
  const auto kg = 1 - kr - kb;
  const auto chroma = limited ? 255.0 / 224 : full;
  const auto rv = 2 * (1 - kr) * chroma;
  const auto bu = 2 * (1 - kb) * chroma;
  const auto gu = -bu * kb / kg;
  const auto gv = -rv * kr / kg;
  return {{{y, 0, rv, black - 128 * rv}, {y, gu, gv, black - 128 * (gu + gv)}, {y, bu, 0, black - 128 * bu}}};
}

color_map make_color_map(const preprocess_spec& spec, core::pixel_format format, core::color_matrix matrix,
                         core::color_range range) noexcept {
  const auto rgb = to_rgb(format, matrix, range);
  color_map map;
  for (std::size_t c = 0; c < 3; ++c) {
    const auto& row = rgb[spec.order == channel_order::rgb ? c : 2 - c];
    const double mean = spec.mean[c];
    const double scale = spec.scale[c];
    for (std::size_t j = 0; j < 3; ++j) map.factors[c][j] = static_cast<float>(row[j] * scale);
    map.offset[c] = static_cast<float>((row[3] - mean) * scale);
    const auto black = static_cast<float>(-mean * scale);
    const auto white = static_cast<float>((255 - mean) * scale);
    map.low[c] = std::min(black, white);
    map.high[c] = std::max(black, white);
    map.pad[c] = static_cast<float>((spec.pad - mean) * scale);
  }
  return map;
}

} // namespace penstock::kernels::cpu
