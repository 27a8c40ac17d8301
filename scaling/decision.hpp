#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scaling/signals.hpp"

namespace penstock::scaling {

/// `out`: more are asked for; `in`: some begin to drain; `frozen`: nothing is known, so nothing is changed.
enum class scaling_action : std::uint8_t { out, in, hold, frozen };

/// Name in metrics and events, e.g. "out".
[[nodiscard]] std::string_view to_string(scaling_action action) noexcept;

/// What is to be done, in this order: `drain` these workers (by name), `retire` these instances (by id), then ask the
/// fleet for `target` instances in all, counted after the retirement. And why.
struct decision {
  core::time_point at{};
  scaling_action action = scaling_action::hold;
  int want = 0;       ///< workers, within the bounds; as many as there are while frozen
  int have = 0;       ///< that work or soon will; those that drain are not among them
  int booting = 0;    ///< of them, those that are not ready yet
  int draining = 0;   ///< beside them
  int missing = 0;    ///< that were asked for and that the fleet did not give
  std::string policy; ///< whose proposal won; empty while frozen
  std::string why;    ///< one line
  std::optional<int> target;
  std::vector<std::string> drain;
  std::vector<std::string> retire;
  std::optional<signals> seen; ///< what it was decided on, workers as the fleet has them

  [[nodiscard]] bool is_frozen() const noexcept { return action == scaling_action::frozen; }
};

/// The decision as one JSON object on one line. `time`: of the calendar, RFC 3339.
[[nodiscard]] std::string to_json(const decision& made, std::string_view role, std::string_view time);

} // namespace penstock::scaling
