#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "scaling/signals.hpp"
#include "scaling/source/text_format.hpp"

namespace penstock::scaling {

/// All families that signals are read from begin with it.
inline constexpr std::string_view pool_prefix = "penstock_pool_";
inline constexpr std::string_view finished_family = "penstock_pool_finished_items_total";
inline constexpr std::string_view late_family = "penstock_pool_late_items_total";

/// How far the counters of a role went over a window.
struct pool_increase {
  core::seconds over{0}; ///< 0: not known yet
  double finished = 0;
  double late = 0;
};

/// The signals of a role from the last values of its families. Of several heads' values (`instance`, `job`), counts and
/// rates are added up, the service rate is averaged over those that know one, and of ages, utilisations and what queued
/// jobs have the largest holds. `at` and `boot` are the caller's. Errors: `unavailable` for a family that is absent,
/// `corrupt` for a value that is none (NaN, infinite, negative); both name it.
[[nodiscard]] core::expected<signals> signals_of(const std::vector<metric_sample>& samples, std::string_view role,
                                                 const pool_increase& increase);

} // namespace penstock::scaling
