#pragma once

#include <array>

#include "core/frame.hpp"
#include "kernels/preprocess.hpp"

namespace penstock::kernels::cpu {

/// From samples (Y, U, V or R, G, B as the format stores them, 0 to 255) to values of the tensor's channels:
/// clamp(Σ_j factors[c][j] · sample[j] + offset[c], low[c], high[c]), which is (clamp(colour, 0, 255) - mean) · scale.
struct color_map {
  std::array<std::array<float, 3>, 3> factors{};
  std::array<float, 3> offset{};
  std::array<float, 3> low{};
  std::array<float, 3> high{};
  std::array<float, 3> pad{}; ///< the tensor's value of a border
};

/// Rows R, G, B: factors of the three samples, then the offset. Samples of 10 bits count in quarters, so that their
/// range is that of 8 bits.
using affine = std::array<std::array<double, 4>, 3>;

[[nodiscard]] affine to_rgb(core::pixel_format format, core::color_matrix matrix, core::color_range range) noexcept;

[[nodiscard]] color_map make_color_map(const preprocess_spec& spec, core::pixel_format format,
                                       core::color_matrix matrix, core::color_range range) noexcept;

} // namespace penstock::kernels::cpu
