#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/convert.hpp"
#include "kernels/cpu/reference_preprocess.hpp"
#include "kernels/preprocess.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kernels/pictures.hpp"

/// The table that every implementation of preprocessing is held to, and what is needed to compare.
namespace preprocess_table {

using namespace penstock;
using core::element_type;
using core::pixel_format;
using kernels::preprocess_spec;

/// A batch's memory (of one slot at first), filled with a pattern so that what is not written shows.
struct slot {
  std::vector<std::byte> bytes;
  std::vector<std::int64_t> shape;
  element_type type;

  explicit slot(const preprocess_spec& s, std::int64_t n = 1) : type{s.type} {
    shape = s.layout == core::tensor_layout::nchw ? std::vector<std::int64_t>{n, 3, s.height_px, s.width_px}
                                                  : std::vector<std::int64_t>{n, s.height_px, s.width_px, 3};
    bytes.resize(view().size_bytes(), std::byte{0x7e});
  }

  core::tensor_view view() { return {bytes.data(), type, shape}; }

  std::vector<float> values() {
    const auto n = view().elements();
    std::vector<float> out(n);
    if (type == element_type::f32) {
      std::memcpy(out.data(), bytes.data(), bytes.size());
    } else if (type == element_type::f16) {
      std::vector<std::uint16_t> half(n);
      std::memcpy(half.data(), bytes.data(), bytes.size());
      kernels::to_f32(half, out);
    } else {
      for (std::size_t i = 0; i < n; ++i)
        out[i] = type == element_type::u8 ? static_cast<float>(std::to_integer<std::uint8_t>(bytes[i]))
                                          : static_cast<float>(static_cast<std::int8_t>(bytes[i]));
    }
    return out;
  }
};

inline std::vector<float> run_reference(const preprocess_spec& spec, const core::frame_view& frame) {
  slot s{spec};
  REQUIRE(kernels::reference_preprocess(frame, spec, s.view()));
  return s.values();
}

struct difference {
  double largest = 0;
  double mean = 0;
};

inline difference compare(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  difference d;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto e = std::abs(static_cast<double>(a[i]) - b[i]);
    d.largest = std::isnan(e) ? 1e9 : std::max(d.largest, e);
    d.mean += e / static_cast<double>(a.size());
  }
  return d;
}

inline const std::vector<pixel_format> all_formats{pixel_format::gray8, pixel_format::i420, pixel_format::nv12,
                                                   pixel_format::i422,  pixel_format::i444, pixel_format::rgb24,
                                                   pixel_format::bgr24, pixel_format::p010};

struct sizes {
  int width, height, tensor_width, tensor_height;
};

inline const std::vector<sizes> size_table{
    {1, 1, 1, 1},      {1, 1, 32, 32},   {2, 2, 7, 5},      {3, 5, 16, 16},     {33, 17, 32, 32},
    {64, 48, 64, 48},  {65, 49, 64, 33}, {127, 95, 50, 40}, {320, 240, 96, 96}, {50, 40, 131, 90},
    {31, 200, 64, 64}, {1, 300, 8, 16},  {700, 3, 5, 9},    {641, 481, 3, 2},   {129, 70, 16, 1},
};

/// Calls `body(spec, frame)` with all formats, sizes, fits and filters.
template <class F>
void for_each_geometry(F&& body) {
  std::uint32_t seed = 1;
  for (const auto& size : size_table) {
    for (const auto format : all_formats) {
      const int padding = seed % 3 != 0 ? 0 : format == pixel_format::p010 ? 14 : 13;
      const auto picture = make_noise(size.width, size.height, format, padding, seed);
      for (const auto fit : {kernels::fit::letterbox, kernels::fit::stretch, kernels::fit::crop}) {
        for (const auto filter : {kernels::filter::bilinear, kernels::filter::area}) {
          ++seed;
          preprocess_spec spec;
          spec.width_px = size.tensor_width;
          spec.height_px = size.tensor_height;
          spec.fit = fit;
          spec.filter = filter;
          spec.order = seed % 2 == 0 ? kernels::channel_order::rgb : kernels::channel_order::bgr;
          INFO(size.width << "x" << size.height << " to " << size.tensor_width << "x" << size.tensor_height
                          << " format " << static_cast<int>(format) << " fit " << static_cast<int>(fit) << " filter "
                          << static_cast<int>(filter));
          body(spec, picture.view);
        }
      }
    }
  }
}

/// Calls `body(spec, frame)` with all matrices, ranges, layouts, element types and several normalisations.
template <class F>
void for_each_conversion(F&& body) {
  for (const auto format : {pixel_format::i420, pixel_format::gray8, pixel_format::rgb24, pixel_format::p010}) {
    auto picture = make_noise(150, 90, format, 6, 99);
    for (const auto matrix : {core::color_matrix::bt601, core::color_matrix::bt709}) {
      for (const auto range : {core::color_range::limited, core::color_range::full}) {
        for (const auto layout : {core::tensor_layout::nchw, core::tensor_layout::nhwc}) {
          for (const auto type : {element_type::f32, element_type::f16, element_type::u8, element_type::i8}) {
            for (const int width : {48, 35}) {
              picture.view.matrix = matrix;
              picture.view.range = range;
              preprocess_spec spec;
              spec.width_px = width;
              spec.height_px = 40;
              spec.layout = layout;
              spec.type = type;
              spec.mean = {123.7F, 116.3F, 103.5F};
              spec.scale = {0.017F, 0.0175F, 0.0174F};
              if (type == element_type::u8) {
                spec.mean = {0, 10, -20};
                spec.scale = {1, 1.1F, 0.5F};
              } else if (type == element_type::i8) {
                spec.mean = {128, 100, 128};
                spec.scale = {1, 1, -0.5F};
              }
              INFO("format " << static_cast<int>(format) << " matrix " << static_cast<int>(matrix) << " range "
                             << static_cast<int>(range) << " layout " << static_cast<int>(layout) << " type "
                             << to_string(type) << " width " << width);
              body(spec, picture.view);
            }
          }
        }
      }
    }
  }
}

} // namespace preprocess_table
