#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <vector>

#include "core/ids.hpp"

namespace penstock::scaling::test {

/// Numbers from a seed, the same with every standard library (SplitMix64).
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_{seed} {}

  std::uint64_t next() noexcept { return core::mix(state_ += 0x9e3779b97f4a7c15ULL); }
  /// From 0 to 1.
  double share() noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
  double between(double low, double high) noexcept { return low + (high - low) * share(); }
  /// From low to high, both included.
  int between(int low, int high) noexcept {
    return low + static_cast<int>(next() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(double probability) noexcept { return share() < probability; }
  /// How many items come where `mean` are expected; by the normal distribution, so for large ones.
  double poisson(double mean) {
    const double normal = std::sqrt(-2 * std::log(1 - share())) * std::cos(2 * std::numbers::pi * share());
    return std::max(0.0, std::round(mean + std::sqrt(mean) * normal));
  }

 private:
  std::uint64_t state_;
};

/// Items that come in each second.
using load = std::vector<double>;

[[nodiscard]] inline double mean_of(const load& what) {
  return std::accumulate(what.begin(), what.end(), 0.0) / static_cast<double>(what.size());
}

[[nodiscard]] inline load scaled_to(load what, double mean) {
  const double factor = mean / mean_of(what);
  for (auto& items : what) items *= factor;
  return what;
}

/// Independent arrivals at the rates of a load.
[[nodiscard]] inline load poisson(load rates, std::uint64_t seed) {
  dice rng{seed};
  for (auto& rate : rates) rate = rng.poisson(rate);
  return rates;
}

[[nodiscard]] inline load steady(double mean, std::size_t seconds) { return load(seconds, mean); }

/// A sine from `swing` below the mean to as much above, beginning at the lowest.
[[nodiscard]] inline load diurnal(double mean, double day_s, double swing, std::size_t seconds) {
  load out(seconds);
  for (std::size_t t = 0; t < seconds; ++t) {
    out[t] = mean * (1 - swing * std::cos(2 * std::numbers::pi * static_cast<double>(t) / day_s));
  }
  return out;
}

/// From `begin` on the rate rises within `rise_s` by `times` what it was, and then halves its rise every ten minutes.
[[nodiscard]] inline load flash_crowd(double usual, double times, double begin_s, double rise_s, std::size_t seconds) {
  load out(seconds, usual);
  for (std::size_t t = 0; t < seconds; ++t) {
    const double since = static_cast<double>(t) - begin_s;
    if (since < 0) continue;
    out[t] += usual * times * (since < rise_s ? since / rise_s : std::exp2(-(since - rise_s) / 600));
  }
  return out;
}

/// `peak` times the usual rate for half a minute to three, about every ten minutes.
[[nodiscard]] inline load bursts(double mean, double peak, std::size_t seconds, std::uint64_t seed) {
  dice rng{seed};
  load out(seconds, 1);
  const auto pause = [&] { return -500 * std::log(1 - rng.share()); };
  for (double at = pause(); at < static_cast<double>(seconds); at += pause()) {
    const double until = at + rng.between(30.0, 180.0);
    for (; at < until && at < static_cast<double>(seconds); at += 1) out[static_cast<std::size_t>(at)] = peak;
  }
  return scaled_to(std::move(out), mean);
}

} // namespace penstock::scaling::test
