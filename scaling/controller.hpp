#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "scaling/decision.hpp"
#include "scaling/fleet.hpp"
#include "scaling/policy.hpp"
#include "scaling/roster.hpp"

namespace penstock::scaling {

/// What is known when a decision is due. While a part is missing nothing is changed.
struct observation {
  core::expected<signals> seen;
  core::expected<fleet_state> fleet;
  core::expected<std::vector<worker_view>> workers; ///< of the role; not looked at unless instances are named
};

struct controller_options {
  int min = 1;                            ///< workers that there are at least
  int max = 1;                            ///< and at most; those that drain come on top
  int max_step = 10;                      ///< most that come, or go, by one decision
  core::seconds stale_after{90};          ///< older signals freeze the fleet
  core::seconds drain_timeout{900};       ///< an instance that has not drained by then is retired all the same
  core::seconds boot_limit{900};          ///< an instance without a ready worker for so long is replaced
  core::seconds allocation_patience{120}; ///< for instances that were asked for to appear in the fleet
  core::seconds ask_again_after{600};     ///< what the fleet could not give is asked for again then
  core::seconds repeat_after{60};         ///< a retirement that shows no effect is repeated then
  bool names_instances = true;            ///< false: the fleet only takes a number, up or down (`advise`)

  /// Error: `bad_config`, which names the option.
  [[nodiscard]] core::expected<void> validate() const;
};

/// Sums since the start, for metrics.
struct controller_counts {
  std::uint64_t out = 0; ///< decisions, like the next three
  std::uint64_t in = 0;
  std::uint64_t hold = 0;
  std::uint64_t frozen = 0;
  std::uint64_t direction_changes = 0; ///< out after in, or in after out
  std::uint64_t failed_boots = 0;      ///< instances replaced because they never became workers, or ceased to be
  std::uint64_t vanished = 0;          ///< instances that went away without having been retired
  std::uint64_t drain_timeouts = 0;    ///< instances retired before they had drained
};

/// Decides how many workers there are, and which of them leave. A pure state machine: no clock, no threads, no input or
/// output; the caller does what decisions say and looks again, so a step that failed is simply due again. It can be
/// begun anew at any time: what a predecessor left draining goes on draining.
///
/// - The largest proposal of the policies counts, within `min`, `max` and `max_step`. Instances that boot count as
///   workers, and those whose worker was lost as well: they come back, or vanish from the fleet, or are replaced.
/// - In is always: workers drain (fewest leases first, then the youngest; never protected ones), and only when they
///   have drained, or had `drain_timeout` for it, their instances are retired by id. Nobody drains while what boots is
///   needed to make up for it. What boots and is not needed any more goes first, without a drain: nobody works there.
/// - An instance is replaced that had no ready worker for `boot_limit`. Time in which nobody could be seen does not
///   count, nor, for one that was ready once, time in which nobody was.
/// - Without fresh signals nothing is changed, except that `min` is kept where the fleet can be seen.
class controller {
 public:
  controller(const controller_options& options, std::vector<policy_ptr> policies);

  /// One decision; times must not go back.
  [[nodiscard]] decision decide(core::time_point now, const observation& known);

  /// The last decision's target did not reach the fleet: it is due again.
  void not_asked() noexcept;

  [[nodiscard]] const controller_counts& counts() const noexcept { return counts_; }
  [[nodiscard]] const roster& who() const noexcept { return roster_; }

 private:
  void look(core::time_point now, const observation& known, decision& out);
  void look_at_number(core::time_point now, const observation& known, decision& out);
  void excuse(core::time_point now);
  [[nodiscard]] std::string blind(core::time_point now, const observation& known) const;
  void retire(core::time_point now, decision& out);
  [[nodiscard]] signals as_seen(const signals& raw) const;
  void choose(const signals& seen, decision& out);
  void only_number(const fleet_state& fleet, decision& out) const;
  void ask(core::time_point now, decision& out);
  void drain(core::time_point now, decision& out);
  int call_off(core::time_point now, decision& out);
  void count(decision& out);

  controller_options options_;
  std::vector<policy_ptr> policies_;
  roster roster_;
  int asked_ = 0;   ///< instances asked for last, in all
  int pending_ = 0; ///< of them, those that have not appeared yet
  std::optional<core::time_point> asked_at_;
  std::optional<core::time_point> looked_at_; ///< at instances and workers
  bool was_blind_ = false;                    ///< since then
  std::optional<scaling_action> direction_;
  controller_counts counts_;
};

} // namespace penstock::scaling
