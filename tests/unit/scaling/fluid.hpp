#pragma once

#include "scaling/controller.hpp"
#include "tests/unit/scaling/loads.hpp"

namespace penstock::scaling::test {

/// One queue of work that flows, and a fleet whose workers drink from it. What it does not have: single items, batches,
/// placement, leases. What it has: boot times, windows and intervals, waiting, deadlines, and every step of a drain.
struct fluid_options {
  double service_per_s = 30; ///< items that a worker does in a second
  core::seconds boot{240};
  core::seconds objective{1};
  core::seconds deadline{10}; ///< then an item is given up
  core::seconds window{30};
  int interval_s = 10;
  int workers = 1; ///< at the beginning
};

struct fluid_result {
  double late_share = 0; ///< of all items
  double instance_s = 0; ///< paid for, from being asked for to being gone
  double mean_instances = 0;
  int most_instances = 0;
  double changes_per_h = 0;
  double early_retirements = 0; ///< instances retired whose workers had not drained; must be none
};

/// Drives the controller through the load. The same arguments give the same result.
[[nodiscard]] fluid_result flow(const load& arrivals, controller& decider, const fluid_options& options);

} // namespace penstock::scaling::test
