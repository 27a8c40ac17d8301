#pragma once

#include <vector>

#include "core/error.hpp"

namespace penstock::scaling::simulator {

/// A load that is known beforehand, and what fleets can do. The unit of work is what one worker does in one second.
struct optimum_problem {
  std::vector<double> work; ///< that arrives in each slot, in worker seconds
  std::vector<int> least;   ///< workers that each slot must have; empty: `least_always`
  int least_always = 0;
  int most = 1000;
  double slot_s = 1;        ///< at least `objective_s`
  double objective_s = 1;   ///< within which work must be done
  double patience_s = 1;    ///< at least `objective_s`: what has waited for longer is given up
  double boot_s = 240;      ///< paid for each instance that is added, before it works
  double late_share = 0.01; ///< of the work, that need not be done within the objective; 0: all must
  double grain = 0.25;      ///< worker seconds; work that waits is rounded down to multiples of it

  [[nodiscard]] core::expected<void> validate() const;
};

struct optimum {
  double bound_s = 0;       ///< no fleet pays for fewer instance seconds than this
  std::vector<int> workers; ///< a plan that keeps the objective in this model: how many work in each slot
  double plan_s = 0;        ///< what the plan pays for; the optimum lies between the bound and this
  double late_share = 0;    ///< of the plan
  double grain = 0;         ///< that was used
};

/// The cheapest fleet for the load, planned by somebody who knows all of it.
///
/// **Which optimum.** A plan is a whole number of workers for each slot. It pays for each of them for the slot, and
/// `boot_s` for each one that is added after the first slot: instances are asked for so early that they are ready when
/// they are needed, and are paid from then on. Those of the first slot are there already, and those that go are gone at
/// once. Work is a fluid that any worker does, at full speed, in the order of arrival; what waits at the end of a slot
/// should be done within the next `objective_s`. What the next slot's workers cannot do in that time is late, and must
/// be done all the same, before what comes later; only what they could not do within `patience_s` is given up. What is
/// left after the last slot is forgotten. At most `late_share` of all work may be late.
///
/// **It is a lower bound** for every fleet, in the simulator and out of it, that gives nothing up before `patience_s`
/// and has never more workers than would have nothing late: real work comes in pieces that take their time and cannot
/// be split over workers, and is not known to all of them at once; real instances drain before they go; within a slot
/// work counts as if it came when it suits best; and what waits is rounded down to `grain`.
///
/// **How exact.** With `late_share` 0 the plan is an optimal one of this model (dynamic programming over slots, workers
/// and waiting work), and the bound is what it costs. Otherwise late work gets a price that is searched for: by weak
/// duality, `cost + price * (late - allowed)` of the cheapest plan at any price is a bound, of which the best is kept;
/// the cheapest plan found that is late no more than allowed is the plan. Both are exact for the prices that were
/// tried; what lies between them is the gap. No more are tried once that is below 0.05 %.
///
/// Time: slots * workers * waiting grains for each price, of which there are at most 24; memory the same once, in bytes
/// or twice that. Where that would be more than 1 GB, `grain` is doubled until it is not. Errors: `invalid_argument`;
/// `unavailable`: `most` is too few.
[[nodiscard]] core::expected<optimum> find_optimum(const optimum_problem& problem);

} // namespace penstock::scaling::simulator
