#pragma once

#include <cmath>
#include <cstdint>

#include "core/ids.hpp"

namespace penstock::scaling::simulator {

/// Numbers from a seed, the same with every standard library (SplitMix64).
class random {
 public:
  explicit random(std::uint64_t seed) noexcept : state_{core::mix(seed + 1)} {}

  std::uint64_t next() noexcept { return core::mix(state_ += 0x9e3779b97f4a7c15ULL); }

  /// From 0 to 1, without 1.
  double uniform() noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }

  double exponential(double mean) noexcept { return -mean * std::log1p(-uniform()); }

  bool chance(double probability) noexcept { return uniform() < probability; }

  /// `mean` rounded up or down, at random, so that the average is right.
  std::uint64_t rounded(double mean) noexcept {
    const auto whole = std::floor(mean);
    return static_cast<std::uint64_t>(whole) + (chance(mean - whole) ? 1 : 0);
  }

 private:
  std::uint64_t state_;
};

} // namespace penstock::scaling::simulator
