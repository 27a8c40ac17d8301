#pragma once

#include <string>

#include "scaling/simulator/report.hpp"

namespace penstock::scaling::simulator {

/// A picture of the runs as SVG: demand, workers wanted and there, backlog, latency and cost over time, one below the
/// other, each policy in its colour; with the optimum's plan where there is one. Colours are readable on white and on
/// black, and there is no background.
[[nodiscard]] std::string to_svg(const comparison& all);

} // namespace penstock::scaling::simulator
