#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scaling/policy/rate.hpp"
#include "scaling/policy/schedule.hpp"
#include "scaling/policy/threshold.hpp"

namespace penstock::scaling {

/// Options of all policies; each looks at its own.
struct policy_options {
  rate_options rate;
  threshold_options threshold;
  schedule_options schedule;
};

/// Names of the policies that there are.
[[nodiscard]] std::vector<std::string_view> policy_names();

/// Makes a policy by its name. `wall` is asked by those that follow the calendar. Errors: `not_found` for an unknown
/// name, with the names that there are; `bad_config`, which names the option.
[[nodiscard]] core::expected<policy_ptr> make_policy(std::string_view name, const policy_options& options,
                                                     const calendar& wall);

} // namespace penstock::scaling
