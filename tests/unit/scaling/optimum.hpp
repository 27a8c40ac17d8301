#pragma once

#include <vector>

#include "core/time.hpp"

namespace penstock::scaling::test {

struct optimum_options {
  double service_per_s = 30;  ///< items that one worker does in a second
  core::seconds objective{1}; ///< longest wait of an item
  core::seconds boot{240};    ///< an instance is paid for while it boots
  double late_share = 0.01;   ///< of the items that may be late
};

struct optimum {
  double instance_s = 0; ///< what is paid for
  double late_share = 0;
};

/// The cheapest fleet for a load of items per second that is known beforehand: dynamic programming over the seconds,
/// the size of the fleet and the work that waits, with a price on late items that is searched for. Instances that leave
/// do so at once and those of the first second are there already, so no policy can be cheaper.
[[nodiscard]] optimum clairvoyant(const std::vector<double>& arrivals, const optimum_options& options);

} // namespace penstock::scaling::test
