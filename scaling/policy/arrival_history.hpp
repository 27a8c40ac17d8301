#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "core/time.hpp"

namespace penstock::scaling {

/// A straight line through the arrivals of a window.
struct arrival_trend {
  double slope = 0; ///< items a second, per second
  double error = 0; ///< standard error of the slope
};

/// Arrival rates of the recent past, in points at least `grain` apart, so that its memory is bounded by
/// `memory / grain` whatever the interval. Not thread-safe.
class arrival_history {
 public:
  arrival_history(core::seconds memory, core::seconds grain) : memory_{memory}, grain_{grain} {}

  /// Times must not go back. `usual` is false for what is known to say nothing of the demand, as during an outage.
  void add(core::time_point at, double per_s, bool usual = true);

  /// How far back it goes.
  [[nodiscard]] core::seconds span() const noexcept;

  /// Mean of the last `window`; 0 without a point.
  [[nodiscard]] double level(core::seconds window) const noexcept;

  /// Highest point; 0 without one.
  [[nodiscard]] double peak() const noexcept;

  /// Least squares over the last `window`. Values are averages of `averaged`: those that overlap are left out, since
  /// they would make chance look certain. Nothing with fewer than five points, or while they span less than half of it.
  [[nodiscard]] std::optional<arrival_trend> trend(core::seconds window, core::seconds averaged) const;

  /// How bursty arrivals are at short times: the index of dispersion, variance over mean of the items that come in a
  /// time, which is 1 for a Poisson stream and the size of the batches where items come in batches. From the median
  /// change between values that do not overlap, so that steps and trends count little. Nothing with fewer than five.
  [[nodiscard]] std::optional<double> dispersion(core::seconds averaged) const;

  /// The traffic envelope relative to its start: by what factor arrivals rose at most within `horizon`, for the share
  /// `quantile` of all moments remembered (InferLine, SoCC 2020, with a quantile in place of the maximum, so that one
  /// flash crowd is not expected again at every moment of the next hour). At least 1; nothing while fewer than five
  /// moments have such a future. Levels are means of a `window`, so that bursts shorter than it do not count as rises.
  [[nodiscard]] std::optional<double> growth(core::seconds horizon, core::seconds window, double quantile) const;

 private:
  struct point {
    core::time_point begin;
    core::time_point at; ///< of the last value in it
    double sum = 0;
    int values = 0;
    bool usual = true;

    [[nodiscard]] double per_s() const noexcept { return sum / values; }
  };

  [[nodiscard]] std::vector<point> apart(core::seconds window, core::seconds averaged) const;

  /// For each point the mean of the `window` before it.
  [[nodiscard]] std::vector<double> levels(core::seconds window) const;

  core::seconds memory_;
  core::seconds grain_;
  std::deque<point> points_;
};

} // namespace penstock::scaling
