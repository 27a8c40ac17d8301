#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <vector>

#include "core/error.hpp"
#include "scaling/policy.hpp"

namespace penstock::scaling {

/// What the calendar says at a moment of the clock that signals are stamped with.
using calendar = std::function<std::chrono::sys_seconds(core::time_point)>;

/// So many workers at least, on these days, between these times of day.
struct schedule_entry {
  std::array<bool, 7> days{true, true, true, true, true, true, true}; ///< on which it begins; Sunday first
  std::chrono::minutes from{0};                                       ///< of the day
  std::chrono::minutes to{24 * 60};                                   ///< up to `from`: on the day after
  int workers = 1;

  bool operator==(const schedule_entry&) const = default;
};

struct schedule_options {
  std::vector<schedule_entry> entries;
  std::chrono::minutes utc_offset{0}; ///< of the times, east of Greenwich above 0; it knows no summer time
  core::seconds boot_time{240};       ///< taken while none was measured

  /// Error: `bad_config`, which names the entry and its option.
  [[nodiscard]] core::expected<void> validate() const;
};

/// Minimums by the time of week, for what is known beforehand; beside another policy, since the largest proposal
/// counts. They are asked for a boot time early, so that the workers are ready when they should be. Of several entries
/// the largest counts; without one it wants none.
class schedule_policy final : public policy {
 public:
  schedule_policy(schedule_options options, calendar wall);

  [[nodiscard]] std::string_view name() const noexcept override { return "schedule"; }
  [[nodiscard]] proposal propose(const signals& seen) override;

 private:
  schedule_options options_;
  calendar wall_;
};

} // namespace penstock::scaling
