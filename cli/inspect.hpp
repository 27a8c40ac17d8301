#pragma once

#include "core/error.hpp"
#include "topology/load.hpp"

namespace penstock::cli {

// What the rooms that act on a topology know about its values, found without starting anything. Each returns problems
// with their places, notes among them.

/// Addresses that no source can open.
[[nodiscard]] topology::problems inspect_streams(const topology::loaded& topology);

/// Loads the model, tries it, and fits it with the stages around it.
[[nodiscard]] topology::problems inspect_model(const topology::loaded& topology);

/// A problem whose message begins with a path ("stages.preprocess.size: …"), at the place of that value.
[[nodiscard]] topology::problem place_error(const topology::loaded& topology, const core::error& error);

} // namespace penstock::cli
