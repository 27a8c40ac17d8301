#include "scaling/policy/arrival_history.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace penstock::scaling {

namespace {

constexpr std::size_t enough_points = 5;
constexpr std::size_t enough_changes = 12;
/// Of the present level, the share from which on another is like it.
constexpr double alike = 0.9;

double quantile_of(std::vector<double>& values, double quantile) {
  const auto rank = static_cast<std::ptrdiff_t>(quantile * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<std::size_t>(rank)];
}

} // namespace

void arrival_history::add(core::time_point at, double per_s, bool usual) {
  if (points_.empty() || at - points_.back().begin >= grain_ || usual != points_.back().usual) {
    points_.push_back({at, at, per_s, per_s, 1, usual});
  } else {
    auto& last = points_.back();
    last.at = at;
    last.last = per_s;
    last.sum += per_s;
    ++last.values;
  }
  while (at - points_.front().at > memory_) points_.pop_front();
}

double arrival_history::level(core::seconds window) const noexcept {
  double sum = 0;
  int values = 0;
  for (auto p = points_.rbegin(); p != points_.rend() && points_.back().at - p->at < window; ++p) {
    sum += p->sum;
    values += p->values;
  }
  return values > 0 ? sum / values : 0;
}

std::vector<arrival_history::point> arrival_history::apart(core::seconds window, core::seconds averaged) const {
  std::vector<point> out;
  for (auto p = points_.rbegin(); p != points_.rend() && points_.back().at - p->at < window; ++p) {
    if (p->usual && (out.empty() || out.back().at - p->at >= averaged)) out.push_back(*p);
  }
  return out;
}

std::optional<arrival_trend> arrival_history::trend(core::seconds window, core::seconds averaged) const {
  const auto points = apart(window, averaged);
  const auto n = static_cast<double>(points.size());
  if (points.size() < enough_points || points.front().at - points.back().at < window / 2) return std::nullopt;
  const auto time_of = [&](const point& p) { return core::seconds{p.at - points.front().at}.count(); };
  double mean_t = 0;
  double mean_y = 0;
  for (const auto& p : points) {
    mean_t += time_of(p) / n;
    mean_y += p.per_s() / n;
  }
  double tt = 0;
  double ty = 0;
  for (const auto& p : points) {
    tt += (time_of(p) - mean_t) * (time_of(p) - mean_t);
    ty += (time_of(p) - mean_t) * (p.per_s() - mean_y);
  }
  arrival_trend out;
  out.slope = ty / tt;
  double rest = 0;
  for (const auto& p : points) {
    const double off = p.per_s() - mean_y - out.slope * (time_of(p) - mean_t);
    rest += off * off;
  }
  out.error = std::sqrt(rest / (n - 2) / tt);
  return out;
}

std::optional<double> arrival_history::dispersion(core::seconds averaged) const {
  std::vector<double> ratios;
  for (std::size_t i = 1; i < points_.size(); ++i) {
    const auto& from = points_[i - 1];
    const auto& to = points_[i];
    const double sum = from.last + to.last;
    if (!from.usual || !to.usual || sum <= 0) continue;
    const auto alone = std::min(core::seconds{to.at - from.at}, averaged); // the time that only one of them has
    const double items = (to.last - from.last) * averaged.count();
    ratios.push_back(items * items / (sum * alone.count()));
  }
  if (ratios.size() < enough_changes) return std::nullopt;
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  // The square of a normal variable has the median 0.455 of its mean.
  return *middle / 0.455;
}

std::vector<double> arrival_history::levels(core::seconds window) const {
  std::vector<double> out;
  out.reserve(points_.size());
  double sum = 0;
  int values = 0;
  auto first = points_.begin();
  for (const auto& p : points_) {
    sum += p.sum;
    values += p.values;
    for (; p.at - first->at >= window || (first->usual != p.usual && first->at < p.at); ++first) {
      sum -= first->sum;
      values -= first->values;
    }
    out.push_back(sum / values);
  }
  return out;
}

std::vector<arrival_history::rise> arrival_history::rises(const std::vector<double>& level,
                                                          core::seconds horizon) const {
  std::vector<rise> out;
  std::deque<std::size_t> highest; // of the points after the moment; the first is the peak, the others may become it
  // From the newest moment to the oldest: its future's far end only moves back.
  for (std::size_t i = points_.size(); i-- > 0;) {
    const auto& now = points_[i];
    if (!now.usual) continue;
    while (!highest.empty() && points_[highest.front()].at - now.at > horizon) highest.pop_front();
    if (points_.back().at - now.at >= horizon && !highest.empty()) out.push_back({level[i], level[highest.front()]});
    while (!highest.empty() && level[highest.back()] <= level[i]) highest.pop_back();
    highest.push_back(i);
  }
  return out;
}

std::optional<double> arrival_history::may_rise_to(core::seconds horizon, core::seconds window, double quantile) const {
  const auto level = levels(window);
  const auto seen = rises(level, horizon);
  if (seen.size() < enough_points) return std::nullopt;
  std::vector<double> factors;
  std::vector<double> differences;
  for (const auto& r : seen) {
    if (r.from > 0) factors.push_back(r.to / r.from);
    differences.push_back(r.to - r.from);
  }
  const double now = level.back();
  double may = now + quantile_of(differences, quantile);
  // From nothing there is no factor.
  if (now > 0 && factors.size() >= enough_points) may = std::min(may, now * quantile_of(factors, quantile));
  return std::clamp(may, now, std::max(now, *std::max_element(level.begin(), level.end())));
}

std::optional<double> arrival_history::rose_to_from_here(core::seconds horizon, core::seconds window) const {
  const double here = alike * level(window);
  double most = 0;
  core::seconds time{0};
  for (const auto& r : rises(levels(window), horizon)) {
    if (r.from < here) continue;
    most = std::max(most, r.to);
    time += grain_;
  }
  if (time < horizon) return std::nullopt;
  return most;
}

} // namespace penstock::scaling
