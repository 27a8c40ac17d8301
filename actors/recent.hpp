#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/time.hpp"

/// Figures of the last seconds, for people who watch.
namespace penstock::actors {

/// How fast a counter has grown lately: a mean that forgets with a time constant of 2 s.
class recent_rate {
 public:
  /// The rate, in 1/s, now that the counter has this value. To be asked several times a second.
  double at(std::uint64_t value, core::time_point now);

 private:
  std::uint64_t value_ = 0;
  core::time_point when_{};
  double rate_ = 0;
  bool started_ = false;
};

/// Quantiles of the last latencies: those of the last 5 s and, at half the weight each, of the 5 s before, and so on.
/// Exact to a tenth or so.
class recent_latency {
 public:
  void observe(core::seconds latency, core::time_point now);
  /// 0 where there was none lately.
  [[nodiscard]] core::seconds quantile(double q, core::time_point now);

 private:
  void fade(core::time_point now);

  static constexpr std::size_t buckets = 120; ///< each 12 % wider than the one before, from 0.1 ms to 80 s
  std::array<float, buckets> weights_{};
  core::time_point faded_{};
};

} // namespace penstock::actors
