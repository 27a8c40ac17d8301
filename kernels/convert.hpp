#pragma once

#include <cstdint>
#include <span>

namespace penstock::kernels {

/// Single to half precision (IEEE 754 binary16 bits), rounded to nearest even. `out` has the size of `in`. Thread-safe.
void to_f16(std::span<const float> in, std::span<std::uint16_t> out) noexcept;

/// Half to single precision, exact. `out` has the size of `in`. Thread-safe.
void to_f32(std::span<const std::uint16_t> in, std::span<float> out) noexcept;

} // namespace penstock::kernels
