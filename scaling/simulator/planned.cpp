#include "scaling/simulator/planned.hpp"

#include <algorithm>
#include <cstddef>

namespace penstock::scaling::simulator {

proposal planned_policy::propose(const signals& seen) {
  if (workers_.empty()) return {seen.workers.coming(), "there is no plan"};
  const core::seconds now = seen.at.time_since_epoch();
  const auto slot_of = [&](core::seconds at) {
    return std::min(workers_.size() - 1, static_cast<std::size_t>(std::max(0.0, at / slot_)));
  };
  const auto first = workers_.begin() + static_cast<std::ptrdiff_t>(slot_of(now));
  const auto last = workers_.begin() + static_cast<std::ptrdiff_t>(slot_of(now + ahead_)) + 1;
  return {*std::max_element(first, last), "the plan has so many until an instance asked for now could work"};
}

} // namespace penstock::scaling::simulator
