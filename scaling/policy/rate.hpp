#pragma once

#include <optional>

#include "core/error.hpp"
#include "scaling/policy.hpp"
#include "scaling/policy/arrival_history.hpp"

namespace penstock::scaling {

struct rate_options {
  double target_utilisation = 0.88; ///< busy share of workers that is aimed at, less where arrivals are bursty
  core::seconds objective{1};       ///< longest wait of an item
  core::seconds drain_time{60};     ///< a backlog should be gone after that
  core::seconds boot_time{240};     ///< taken while none was measured
  core::seconds level_window{60};   ///< arrivals are averaged over it, beside the source's window
  core::seconds trend_window{600};  ///< a trend is looked for in it
  double trend_certainty = 3;       ///< standard errors that a slope must be above zero to be believed
  double most_growth = 2;           ///< a trend is continued up to this multiple of the present level
  double burst_share = 0.05;        ///< of the items, those that bursts within a window may make late
  double late_limit = 0.01;         ///< no scale-in while a greater share of items is late
  core::seconds stable_for{600};    ///< fewer workers must have been enough for so long
  core::seconds step_every{60};     ///< between two steps of scale-in
  double step = 0.25;               ///< of the surplus that goes with a step; one worker at least
  double hysteresis = 0.05;         ///< of the workers that stay, the share that must be to spare
  core::seconds memory{3600};       ///< the envelope of arrivals is kept for so long
  double envelope_quantile = 0.9;   ///< of past moments, the share whose rise within a boot time must find its workers

  /// Error: `bad_config`, which names the option.
  [[nodiscard]] core::expected<void> validate() const;
};

/// As many workers as the arrivals need, by the true processing rate (DS2, OSDI 2018): what comes, and what drains the
/// backlog, over what a busy worker does at the target utilisation; live streams need their places too.
///
/// Out: at once, for the arrivals expected when an instance asked for now is ready. A trend counts only if its slope is
/// certain, so that the noise of a steady stream does not.
/// In: step by step, once fewer have been enough for `stable_for`, and never below what the traffic envelope of the
/// last hour says may be needed before an instance could boot. Not while items are late, and not during what looks like
/// an outage: arrivals that fall when workers are lost or items are late, or that are not served.
///
/// While the service rate is unknown the last known one counts; before that the fleet is held.
class rate_policy final : public policy {
 public:
  explicit rate_policy(const rate_options& options);

  [[nodiscard]] std::string_view name() const noexcept override { return "rate"; }
  [[nodiscard]] proposal propose(const signals& seen) override;

 private:
  struct need {
    int workers = 0;         ///< that the formula gives
    double growth_per_s = 0; ///< arrivals that the trend adds
    core::seconds backlog{0};
  };

  void learn(const signals& seen);
  [[nodiscard]] bool in_trouble(const signals& seen) const noexcept;
  [[nodiscard]] need needed(const signals& seen) const;
  [[nodiscard]] int least_for_in(const signals& seen) const;
  [[nodiscard]] double utilisation_for(double arrivals_per_s) const noexcept;
  [[nodiscard]] int workers_for(double arrivals_per_s) const noexcept;
  [[nodiscard]] core::seconds boot_of(const signals& seen) const noexcept;
  [[nodiscard]] int shrink(const signals& seen, int wanted, int have, std::string& why);

  rate_options options_;
  arrival_history history_;
  double service_per_s_ = 0; ///< last known
  double late_share_ = 0;    ///< older ones count less, by `stable_for`
  std::optional<core::time_point> seen_at_;
  double dispersion_ = 1; ///< of arrivals
  int lost_ = 0;
  std::optional<core::time_point> trouble_at_; ///< when workers were last lost or items late
  double usual_per_s_ = 0;                     ///< arrivals before the outage
  bool outage_ = false;
  std::optional<core::time_point> enough_since_; ///< since when fewer workers would do
  std::optional<core::time_point> stepped_at_;
};

} // namespace penstock::scaling
