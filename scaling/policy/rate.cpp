#include "scaling/policy/rate.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fmt/format.h>
#include <vector>

#include "scaling/policy/checks.hpp"

namespace penstock::scaling {

namespace {

/// Points of the history: fine enough for a boot time of a minute, few enough to look through at every decision. One
/// that is short has room for finer ones, without which it would never know what arrivals may rise to.
core::seconds grain_of(core::seconds memory) { return std::clamp(memory / 360, core::seconds{1}, core::seconds{10}); }
/// Points that must lie a boot time back for that.
constexpr double least_points = 6;

/// Service rates whose median counts: one odd window (a model that warms up) changes nothing.
constexpr std::size_t most_services = 5;

/// Arrivals below this share of the usual ones are a dip, and service below this share of arrivals is none.
constexpr double dip = 0.7;
/// A greater share of late items is no burst, but something that is wrong.
constexpr double much = 0.1;

std::string short_number(double value) {
  return value >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

int rounded_up(double workers) { return static_cast<int>(std::ceil(std::min(workers, 1e6) - 1e-9)); }

} // namespace

rate_policy::rate_policy(const rate_options& options)
    : options_{options}, history_{options.memory, grain_of(options.memory)} {}

proposal rate_policy::propose(const signals& seen) {
  const int have = seen.workers.coming();
  learn(seen);
  if (service_per_s_ <= 0) {
    const bool is_idle = seen.arrivals_per_s <= 0 && seen.backlog_items <= 0 && seen.live_streams == 0;
    return {is_idle ? have : std::max(have, 1), // with nobody it never would be
            fmt::format("arrivals {}/s, held: how many a busy worker does has not been seen yet",
                        short_number(seen.arrivals_per_s))};
  }
  const auto want = needed(seen);
  auto why = explain(seen, want);
  if (rounded_up(want.workers) >= have) {
    enough_since_.reset();
    return {rounded_up(want.workers), why};
  }
  const int workers = shrink(seen, want.workers, have, why);
  return {workers, why};
}

void rate_policy::learn(const signals& seen) {
  if (seen.service_per_s > 0) { // while nobody is busy there is none
    services_.push_back(seen.service_per_s);
    if (services_.size() > most_services) services_.pop_front();
    std::vector<double> sorted{services_.begin(), services_.end()};
    std::sort(sorted.begin(), sorted.end());
    service_per_s_ = sorted[sorted.size() / 2];
  }
  watch_for_outage(seen);
  history_.add(seen.at, seen.arrivals_per_s, !outage_since_);
  dispersion_ = history_.dispersion(seen.window).value_or(dispersion_);
}

void rate_policy::watch_for_outage(const signals& seen) {
  const bool is_served = seen.served_per_s >= dip * seen.arrivals_per_s || seen.backlog_items <= 0;
  if (seen.workers.lost > 0 || seen.late_share > much || !is_served) trouble_at_ = seen.at;
  const bool is_near = trouble_at_ && seen.at - *trouble_at_ < options_.outage_grace;
  if (!outage_since_) {
    const double usual = history_.level(options_.stable_for);
    if (!is_near || seen.arrivals_per_s >= dip * usual) return;
    outage_since_ = seen.at;
    usual_per_s_ = usual;
  }
  const bool is_back = seen.arrivals_per_s >= dip * usual_per_s_;
  // What lasts longer than all that is remembered is no outage, but the demand.
  if (is_back || !is_near || seen.at - *outage_since_ > options_.memory) outage_since_.reset();
}

double rate_policy::growth(const signals& seen, double level) const {
  // What is averaged lies behind the present by half of what it is averaged over.
  const double ahead = (boot_of(seen) + (beside(seen) + seen.window) / 2).count();
  double steepest = 0;
  for (const auto window : {options_.trend_window, options_.trend_window / 2}) {
    const auto trend = history_.trend(window, seen.window);
    if (!trend || trend->slope <= 0) continue;
    const double noise = options_.trend_certainty * trend->error / trend->slope;
    steepest = std::max(steepest, trend->slope * (1 - noise * noise));
  }
  const double grown = std::min(steepest * ahead, level * (options_.most_growth - 1));
  if (grown <= 0) return 0;
  const auto rose_to = history_.rose_to_from_here(boot_of(seen), beside(seen));
  return rose_to ? std::clamp(*rose_to - level, 0.0, grown) : grown;
}

double rate_policy::present_level(const signals& seen) const {
  // A step is in the source's window before it is in the mean; chance is a standard error of either.
  const double chance = std::sqrt(dispersion_ * seen.arrivals_per_s / seen.window.count());
  return std::max(level(seen), seen.arrivals_per_s - chance);
}

rate_policy::need rate_policy::needed(const signals& seen) const {
  need out;
  out.present = present_level(seen);
  const double present = out.present;
  const double expected = present + growth(seen, present);
  // Those that are coming work on the backlog before anybody asked for now could.
  const double to_spare = seen.workers.coming() * service_per_s_ * utilisation_for(present) - present;
  out.backlog = std::max(0.0, seen.backlog_items - std::max(0.0, to_spare) * boot_of(seen).count());
  const double rate = expected + out.backlog / options_.drain_time.count();
  out.at = utilisation_for(rate);
  out.workers = workers_for(rate);
  out.for_boot = rounded_up(workers_for(expected)) - rounded_up(workers_for(present));
  if (seen.streams_per_worker > 0) {
    // More arrivals are more streams.
    out.streams = seen.live_streams * (present > 0 ? expected / present : 1);
    const double places = out.streams / seen.streams_per_worker;
    if (places > out.workers) out.for_streams = rounded_up(places);
    out.workers = std::max(out.workers, places);
  }
  return out;
}

std::string rate_policy::explain(const signals& seen, const need& want) const {
  auto why = fmt::format("arrivals {}/s, a busy worker does {}/s at {:.0f} %", short_number(want.present),
                         short_number(service_per_s_), want.at * 100);
  if (want.backlog > 0 && seen.workers.ready > 0) {
    why += fmt::format("; backlog {} s drains in {:.0f} s",
                       short_number(want.backlog / (seen.workers.ready * service_per_s_)), options_.drain_time.count());
  } else if (want.backlog > 0) {
    why += fmt::format("; backlog of {:.0f} drains in {:.0f} s", want.backlog, options_.drain_time.count());
  }
  why += fmt::format("; +{} for boot", want.for_boot);
  if (want.for_streams > 0) {
    const bool more = want.streams >= seen.live_streams + 0.5;
    why += fmt::format("; {:.0f} live streams{} need {}", want.streams, more ? " by then" : "", want.for_streams);
  }
  return why;
}

int rate_policy::shrink(const signals& seen, double wanted, int have, std::string& why) {
  const auto hold = [&](const std::string& because) {
    why += "; held: " + because;
    return have;
  };
  const auto begin_anew = [&](const std::string& because) {
    enough_since_.reset();
    return hold(because);
  };
  if (outage_since_) return begin_anew("arrivals fell in an outage");
  if (seen.late_share > options_.late_limit) return begin_anew("items are late");
  const auto most = history_.may_rise_to(boot_of(seen), beside(seen), options_.envelope_quantile);
  if (!most) return begin_anew("too little has been seen of what may come while an instance boots");
  const double risen = workers_for(*most);
  const int enough = rounded_up(std::max(wanted * (1 + options_.hysteresis), risen));
  if (enough >= have) {
    return begin_anew(risen > wanted
                          ? fmt::format("arrivals rose to what asks for {} within a boot time", rounded_up(risen))
                          : "too few to spare");
  }
  if (!enough_since_) enough_since_ = seen.at;
  if (seen.at - *enough_since_ < options_.stable_for) {
    return hold(fmt::format("until {} have been enough for {:.0f} s", enough, options_.stable_for.count()));
  }
  if (stepped_at_ && seen.at - *stepped_at_ < options_.step_every) return hold("stepped in just now");
  stepped_at_ = seen.at;
  return have - std::max(1, static_cast<int>((have - enough) * options_.step));
}

double rate_policy::utilisation_for(double arrivals_per_s) const noexcept {
  if (arrivals_per_s <= 0) return options_.target_utilisation;
  const double k = dispersion_ * std::log(1 / options_.burst_share) / (2 * options_.objective.count() * arrivals_per_s);
  return std::min(options_.target_utilisation, 2 / (1 + std::sqrt(1 + 4 * k)));
}

double rate_policy::workers_for(double arrivals_per_s) const noexcept {
  return arrivals_per_s / (service_per_s_ * utilisation_for(arrivals_per_s));
}

core::seconds rate_policy::beside(const signals& seen) const noexcept {
  return std::max(grain_of(options_.memory), options_.level_window - seen.window);
}

core::seconds rate_policy::boot_of(const signals& seen) const noexcept {
  return seen.boot.count() > 0 ? seen.boot : options_.boot_time;
}

core::expected<void> rate_options::validate() const {
  using namespace check;
  return between("target_utilisation", target_utilisation, 0, 1)
      .and_then([&] { return above_zero("objective", objective); })
      .and_then([&] { return above_zero("drain_time", drain_time); })
      .and_then([&] { return above_zero("boot_time", boot_time); })
      .and_then([&] { return above_zero("level_window", level_window); })
      .and_then([&] { return above_zero("trend_window", trend_window); })
      .and_then([&] { return at_least("trend_certainty", trend_certainty, 0); })
      .and_then([&] { return at_least("most_growth", most_growth, 1); })
      .and_then([&] { return between("burst_share", burst_share, 0, 1); })
      .and_then([&] { return between("late_limit", late_limit, 0, 1); })
      .and_then([&] { return above_zero("stable_for", stable_for); })
      .and_then([&] { return at_least("step_every", step_every.count(), 0); })
      .and_then([&] { return within("step", step, 0, 1); })
      .and_then([&] { return at_least("hysteresis", hysteresis, 0); })
      .and_then([&] {
        return at_least("memory", memory.count(),
                        std::max(boot_time + least_points * grain_of(memory), trend_window).count());
      })
      .and_then([&] { return within("envelope_quantile", envelope_quantile, 0, 1); })
      .and_then([&] { return at_least("outage_grace", outage_grace.count(), 0); });
}

} // namespace penstock::scaling
