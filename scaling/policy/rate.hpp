#pragma once

#include <deque>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "scaling/policy.hpp"
#include "scaling/policy/arrival_history.hpp"

namespace penstock::scaling {

struct rate_options {
  double target_utilisation = 0.96; ///< busy share of workers that is aimed at; less where arrivals come in bursts
  core::seconds objective{1};       ///< longest wait of an item
  core::seconds drain_time{60};     ///< a backlog should be gone after that
  core::seconds boot_time{240};     ///< taken while none was measured
  core::seconds level_window{60};   ///< arrivals are averaged over it, the source's window included
  core::seconds trend_window{900};  ///< a trend is looked for in it, and in its last half
  double trend_certainty = 4;       ///< standard errors up to which a slope is taken for noise
  double most_growth = 1.3;         ///< a trend is continued up to this multiple of the present level
  double burst_share = 0.03;        ///< of the items, those that bursts at the present level may make late
  double late_limit = 0.01;         ///< no scale-in while a greater share of the items of the source's window is late
  core::seconds stable_for{90};     ///< fewer workers must have been enough for so long
  core::seconds step_every{30};     ///< between two steps of scale-in
  double step = 1;                  ///< of the surplus that goes with a step; one worker at least
  double hysteresis = 0.07;         ///< of the workers that are needed, the share that must be to spare
  core::seconds memory{3600};       ///< the envelope of arrivals is kept for so long
  double envelope_quantile = 0.85;  ///< of past moments, the share whose rise within a boot time must find its workers
  core::seconds outage_grace{600};  ///< after an outage arrivals have so long to come back before workers leave

  /// Error: `bad_config`, which names the option.
  [[nodiscard]] core::expected<void> validate() const;
};

/// As many workers as the arrivals need, by the true processing rate (DS2, OSDI 2018): what comes, and what drains the
/// backlog, over what a busy worker does at the target utilisation. Live streams need their places, too.
///
/// How much of a worker may be used depends on how bursty arrivals are: in heavy traffic the share
/// exp(-2 (c - a) c d / (a I)) of arrivals `a` with the index of dispersion `I` waits longer than `d` at a capacity
/// `c`. So a smooth stream gets the target utilisation, and one in batches gets more workers.
///
/// Out: at once, for the arrivals expected when an instance asked for now is ready. A trend counts by the share
/// 1 - (z e / s)^2 of its slope `s`, which has the standard error `e`, and not at all below `z` errors: so the noise of
/// a steady stream asks for nobody, and what is just beyond it for few. Where arrivals have been as high before, the
/// trend leads no higher than they went then: a burst that is known does not look like the beginning of a rise.
/// In: step by step, once fewer have been enough for `stable_for`, and never below what the traffic envelope of the
/// last hour says may be needed before an instance could boot. Not while items are late, and not during what looks like
/// an outage: arrivals that fall suddenly when workers are lost, items are late, or what comes is not served.
///
/// While the service rate is unknown the last known one counts; before that the fleet is held.
class rate_policy final : public policy {
 public:
  explicit rate_policy(const rate_options& options);

  [[nodiscard]] std::string_view name() const noexcept override { return "rate"; }
  [[nodiscard]] proposal propose(const signals& seen) override;

 private:
  struct need {
    double present = 0;  ///< arrivals a second
    double workers = 0;  ///< not yet rounded up
    double at = 0;       ///< utilisation that was reckoned with
    double backlog = 0;  ///< items that nobody who is coming will have worked on
    int for_boot = 0;    ///< workers that the trend adds
    int for_streams = 0; ///< workers that live streams need
    double streams = 0;  ///< when an instance asked for now is ready
  };

  void learn(const signals& seen);
  void watch_for_outage(const signals& seen);
  [[nodiscard]] double growth(const signals& seen, double level) const;
  /// The mean, or what the source's window surely has more than that.
  [[nodiscard]] double present_level(const signals& seen) const;
  [[nodiscard]] need needed(const signals& seen) const;
  [[nodiscard]] std::string explain(const signals& seen, const need& want) const;
  [[nodiscard]] int shrink(const signals& seen, double wanted, int have, std::string& why);

  /// What is averaged once more, beside the source's window.
  [[nodiscard]] core::seconds beside(const signals& seen) const noexcept;
  [[nodiscard]] double level(const signals& seen) const noexcept { return history_.level(beside(seen)); }
  [[nodiscard]] double utilisation_for(double arrivals_per_s) const noexcept;
  [[nodiscard]] double workers_for(double arrivals_per_s) const noexcept;
  [[nodiscard]] core::seconds boot_of(const signals& seen) const noexcept;

  rate_options options_;
  arrival_history history_;
  std::deque<double> services_;                  ///< the last known ones
  double service_per_s_ = 0;                     ///< their median
  double dispersion_ = 1;                        ///< of arrivals
  std::optional<core::time_point> trouble_at_;   ///< when something was last wrong
  std::optional<core::time_point> outage_since_; ///< when arrivals fell with it
  double usual_per_s_ = 0;                       ///< arrivals before that
  std::optional<core::time_point> enough_since_; ///< since when fewer workers would do
  std::optional<core::time_point> stepped_at_;
};

} // namespace penstock::scaling
