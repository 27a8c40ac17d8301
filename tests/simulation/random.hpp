#pragma once

#include <cstdint>

#include "core/ids.hpp"

namespace penstock::test {

/// Numbers from a seed, the same with every standard library (SplitMix64).
class random {
 public:
  explicit random(std::uint64_t seed) : state_{seed} {}

  std::uint64_t next() noexcept { return core::mix(state_ += 0x9e3779b97f4a7c15ULL); }

  /// From low to high, both included.
  std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
    return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
  }

  bool chance(double probability) noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53 < probability; }

 private:
  std::uint64_t state_;
};

} // namespace penstock::test
