#pragma once

#include <bit>
#include <cstdint>

namespace penstock::kernels::cpu {

/// binary16 bits of a number, rounded to nearest even, for CPUs that cannot do it themselves.
[[nodiscard]] inline std::uint16_t to_half(float number) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const auto sign = (bits >> 16) & 0x8000U;
  auto x = bits & 0x7fffffffU;
  if (x > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);  // not a number
  if (x >= 0x47800000U) return static_cast<std::uint16_t>(sign | 0x7c00U); // 2^16 and above: infinity
  if (x < 0x38800000U) {
    // below 2^-14: adding 0.5 lets the float unit round at the last bit of a subnormal half
    x = std::bit_cast<std::uint32_t>(std::bit_cast<float>(x) + 0.5F) - 0x3f000000U;
    return static_cast<std::uint16_t>(sign | x);
  }
  // exponent bias from 127 to 15, and rounding by carry
  x += 0xc8000fffU + ((x >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | (x >> 13));
}

} // namespace penstock::kernels::cpu
