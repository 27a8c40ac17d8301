#include "scaling/policy/rate.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <string>

namespace penstock::scaling {

namespace {

/// Points of the history: fine enough for a boot time of a minute, few enough to look through at every decision.
constexpr core::seconds grain{10};

/// Arrivals below this share of the usual ones are a dip.
constexpr double dip = 0.7;

} // namespace

rate_policy::rate_policy(const rate_options& options) : options_{options}, history_{options.memory, grain} {}

proposal rate_policy::propose(const signals& seen) {
  const int have = seen.workers.coming();
  learn(seen);
  if (service_per_s_ <= 0) {
    return {have,
            fmt::format("arrivals {:.3g}/s, but nobody knows yet how many a busy worker does", seen.arrivals_per_s)};
  }
  const auto want = needed(seen);
  auto why = fmt::format("arrivals {:.3g}/s, a busy worker does {:.3g}/s at {:.0f} %; ", seen.arrivals_per_s,
                         service_per_s_, utilisation_for(seen.arrivals_per_s) * 100);
  if (want.backlog.count() > 0) {
    why += fmt::format("backlog {:.2g} s drains in {:.0f} s; ", want.backlog.count(), options_.drain_time.count());
  }
  why += fmt::format("+{} for boot", workers_for(history_.level(options_.level_window) + want.growth_per_s) -
                                         workers_for(history_.level(options_.level_window)));
  const int workers = want.workers >= have ? want.workers : shrink(seen, want.workers, have, why);
  if (want.workers >= have) enough_since_.reset();
  return {workers, why};
}

void rate_policy::learn(const signals& seen) {
  // A service rate measured while hardly anybody was busy says little, and none at all nothing.
  if (seen.service_per_s > 0) service_per_s_ = seen.service_per_s;
  const double before = history_.level(options_.stable_for);
  if (in_trouble(seen)) trouble_at_ = seen.at;
  const bool troubled = trouble_at_ && seen.at - *trouble_at_ < options_.stable_for;
  if (!outage_ && troubled && seen.arrivals_per_s < dip * before) {
    outage_ = true;
    usual_per_s_ = before;
  }
  if (outage_ && (seen.arrivals_per_s >= dip * usual_per_s_ || !troubled)) outage_ = false;
  lost_ = seen.workers.lost;
  const auto since = seen_at_ ? core::seconds{seen.at - *seen_at_} : seen.window;
  late_share_ += (seen.late_share - late_share_) * (1 - std::exp(-since / options_.stable_for));
  seen_at_ = seen.at;
  history_.add(seen.at, seen.arrivals_per_s, !outage_);
  dispersion_ = history_.dispersion(seen.window).value_or(dispersion_);
}

bool rate_policy::in_trouble(const signals& seen) const noexcept {
  const bool unserved = seen.served_per_s < dip * seen.arrivals_per_s && seen.backlog_items > 0;
  return seen.workers.lost > lost_ || seen.late_share > options_.late_limit || unserved;
}

rate_policy::need rate_policy::needed(const signals& seen) const {
  need out;
  const auto boot = boot_of(seen).count();
  const double level = history_.level(options_.level_window);
  const auto trend = history_.trend(options_.trend_window, seen.window);
  if (trend && trend->slope > options_.trend_certainty * trend->error) {
    out.growth_per_s = std::min(trend->slope * boot, level * (options_.most_growth - 1));
  }
  // Who is coming already works on the backlog before anybody asked for now could.
  const double to_spare = seen.workers.coming() * service_per_s_ * utilisation_for(level) - level;
  const double left = std::max(0.0, seen.backlog_items - std::max(0.0, to_spare) * boot);
  if (left > 0) out.backlog = core::seconds{left / service_per_s_ / std::max(1, seen.workers.coming())};
  out.workers = workers_for(level + out.growth_per_s + left / options_.drain_time.count());
  if (seen.streams_per_worker > 0) {
    out.workers = std::max(out.workers, static_cast<int>(std::ceil(seen.live_streams / seen.streams_per_worker)));
  }
  return out;
}

int rate_policy::shrink(const signals& seen, int wanted, int have, std::string& why) {
  const auto hold = [&](std::string_view because) {
    why += "; ";
    why += because;
    return have;
  };
  if (outage_) {
    enough_since_.reset();
    return hold("held: arrivals fell in an outage");
  }
  if (late_share_ > options_.late_limit) {
    enough_since_.reset();
    return hold("held: items are late");
  }
  const int least = std::max(wanted, least_for_in(seen));
  const auto with_hysteresis = static_cast<int>(std::ceil(least * (1 + options_.hysteresis)));
  if (with_hysteresis >= have) {
    enough_since_.reset();
    return hold(least > wanted ? fmt::format("held: the last hour's rises within a boot time ask for {}", least)
                               : "held: too few to spare");
  }
  if (!enough_since_) enough_since_ = seen.at;
  if (seen.at - *enough_since_ < options_.stable_for) {
    return hold(
        fmt::format("held until {} have been enough for {:.0f} s", with_hysteresis, options_.stable_for.count()));
  }
  if (stepped_at_ && seen.at - *stepped_at_ < options_.step_every) return hold("held: stepped in just now");
  stepped_at_ = seen.at;
  return have - std::max(1, static_cast<int>((have - with_hysteresis) * options_.step));
}

int rate_policy::least_for_in(const signals& seen) const {
  const auto growth = history_.growth(boot_of(seen), options_.level_window, options_.envelope_quantile);
  // With no envelope yet, nothing is known that would allow fewer.
  if (!growth) return seen.workers.coming();
  return workers_for(std::min(history_.level(options_.level_window) * *growth, history_.peak()));
}

double rate_policy::utilisation_for(double arrivals_per_s) const noexcept {
  if (arrivals_per_s <= 0) return options_.target_utilisation;
  // Heavy traffic: of arrivals a at a capacity c the share exp(-2 (c - a) c d / (a I)) waits longer than d.
  const double k = dispersion_ * std::log(1 / options_.burst_share) / (2 * options_.objective.count() * arrivals_per_s);
  return std::min(options_.target_utilisation, 2 / (1 + std::sqrt(1 + 4 * k)));
}

int rate_policy::workers_for(double arrivals_per_s) const noexcept {
  const double workers = arrivals_per_s / (service_per_s_ * utilisation_for(arrivals_per_s));
  return static_cast<int>(std::ceil(std::min(workers, 1e6) - 1e-9));
}

core::seconds rate_policy::boot_of(const signals& seen) const noexcept {
  return seen.boot.count() > 0 ? seen.boot : options_.boot_time;
}

core::expected<void> rate_options::validate() const { return {}; }

} // namespace penstock::scaling
