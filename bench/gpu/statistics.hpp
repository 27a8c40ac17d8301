#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace penstock::bench {

/// What repeats of one measurement came to: the median, and how far they lie apart.
struct spread {
  double median = 0;
  double low = 0;  ///< the first decile
  double high = 0; ///< the last
  std::size_t repeats = 0;
};

/// The value below which a share (0 to 1) of sorted, not empty values lies, linear between neighbours.
[[nodiscard]] inline double quantile(const std::vector<double>& sorted, double share) {
  const auto at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

/// All zero when there are no values.
[[nodiscard]] inline spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {quantile(values, 0.5), quantile(values, 0.1), quantile(values, 0.9), values.size()};
}

/// How many calls one event-timed repeat holds, so that it lasts about `wanted` seconds when a call lasts `one`, and no
/// input is read again before all `inputs` have been: between one turn and 10'000 calls.
[[nodiscard]] inline std::size_t calls_per_repeat(double one, double wanted, std::size_t inputs) {
  const auto calls = one > 0 ? std::min(std::ceil(wanted / one), 10'000.0) : 10'000.0;
  const auto turns = (static_cast<std::size_t>(calls) + inputs - 1) / inputs;
  return std::max<std::size_t>(turns, 1) * inputs;
}

/// How many inputs of so many bytes to take turns with, so that none is still in a cache of `cache_bytes` when it is
/// read again: four times the cache, at least two.
[[nodiscard]] inline std::size_t inputs_beyond_cache(std::size_t input_bytes, std::size_t cache_bytes) {
  return std::max<std::size_t>(2, (4 * cache_bytes + input_bytes - 1) / input_bytes);
}

} // namespace penstock::bench
