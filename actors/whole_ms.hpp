#pragma once

#include <algorithm>
#include <chrono>

#include "topology/config.hpp"

namespace penstock::actors {

/// A duration of the topology for what counts in milliseconds: at least one.
[[nodiscard]] inline std::chrono::milliseconds whole_ms(topology::duration d) {
  return std::max(std::chrono::milliseconds{1}, std::chrono::duration_cast<std::chrono::milliseconds>(d));
}

} // namespace penstock::actors
