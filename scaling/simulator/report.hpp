#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "scaling/simulator/optimum.hpp"
#include "scaling/simulator/simulation.hpp"

namespace penstock::scaling::simulator {

/// Runs of the same load under different policies, against the best that there is.
struct comparison {
  double objective_s = 1;
  double price_per_h = 0;
  double slot_s = 1;              ///< of the optimum
  std::optional<optimum> best;    ///< with 1 % late; nothing where it was not asked for
  std::optional<optimum> perfect; ///< with nothing late
  std::vector<results> runs;
};

/// The optimum for a scenario: its load, its workers at full batches, its fastest boot, its bounds. `late_share`: that
/// may miss the objective. Slots are as long as they must be for at most 5,000 of them.
[[nodiscard]] optimum_problem problem_of(const scenario& what, double late_share);

/// What a run pays, over what at least must be paid; 0 without an optimum.
[[nodiscard]] double cost_ratio(const comparison& all, const results& run);

/// `{"load", "objective_s", "optimum": {…}, "runs": [{"policy", "within_share", "latency_s": {…}, …, "moments"}]}`.
[[nodiscard]] nlohmann::ordered_json to_json(const comparison& all);

} // namespace penstock::scaling::simulator
