#pragma once

#include <cstddef>
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

  [[nodiscard]] std::size_t points() const noexcept { return points_.size(); }

  /// Mean of the last `window`; 0 without a point.
  [[nodiscard]] double level(core::seconds window) const noexcept;

  /// Least squares over the last `window`. Values are averages of `averaged`: those that overlap are left out, since
  /// they would make chance look certain. Nothing with fewer than five points, or while they span less than half of it.
  [[nodiscard]] std::optional<arrival_trend> trend(core::seconds window, core::seconds averaged) const;

  /// How bursty arrivals are at short times: the index of dispersion, variance over mean of the items that come in a
  /// time, which is 1 for a Poisson stream and the size of the batches where items come in batches. Values are averages
  /// of `averaged`, so what two that follow each other differ by came in the time that only one of them has: the
  /// shorter that is, the less of the level's own changes is in it. From the median of those, so that steps and trends
  /// count little. Nothing with fewer than twelve.
  [[nodiscard]] std::optional<double> dispersion(core::seconds averaged) const;

  /// The traffic envelope of the present: how high arrivals may be within `horizon`, by what rises there were, for the
  /// share `quantile` of all moments remembered (InferLine, SoCC 2020; a quantile in place of the maximum, so that one
  /// flash crowd is not expected again at every moment of the next hour). By the factor or by the difference, whichever
  /// is less, and never above what has been seen. Nothing while fewer than five moments have such a future. Levels are
  /// means of a `window`, so that bursts shorter than it do not count as rises.
  [[nodiscard]] std::optional<double> may_rise_to(core::seconds horizon, core::seconds window, double quantile) const;

  /// How high arrivals were at most within `horizon` of the moments at which they were like now, or higher. Nothing
  /// while there is less than a `horizon` of such moments: then nobody knows what comes after them.
  [[nodiscard]] std::optional<double> rose_to_from_here(core::seconds horizon, core::seconds window) const;

 private:
  /// From a moment's level to the highest that followed.
  struct rise {
    double from = 0;
    double to = 0;
  };
  struct point {
    core::time_point begin;
    core::time_point at; ///< of the last value in it
    double last = 0;
    double sum = 0;
    int values = 0;
    bool usual = true;

    [[nodiscard]] double per_s() const noexcept { return sum / values; }
  };

  [[nodiscard]] std::vector<point> apart(core::seconds window, core::seconds averaged) const;

  /// Of each usual moment that has a whole `horizon` behind it; `level` is that of each point.
  [[nodiscard]] std::vector<rise> rises(const std::vector<double>& level, core::seconds horizon) const;

  /// For each point the mean of the `window` before it.
  [[nodiscard]] std::vector<double> levels(core::seconds window) const;

  core::seconds memory_;
  core::seconds grain_;
  std::deque<point> points_;
};

} // namespace penstock::scaling
