#pragma once

#include <string>
#include <vector>

#include "scaling/policy/policies.hpp"
#include "scaling/simulator/simulation.hpp"

namespace penstock::cli {

/// Makes the policies of one run from `NAME[:KEY=VALUE,…][+NAME…]`: those that there are, and `planned`, which follows
/// the plan of the optimum for the load times `room`. `base`: what is not said. Errors: as of `make_policy` and of
/// `find_optimum`; `invalid_argument`.
[[nodiscard]] core::expected<std::vector<scaling::policy_ptr>>
simulated_policies(const std::string& text, const scaling::policy_options& base,
                   const scaling::simulator::scenario& what);

} // namespace penstock::cli
