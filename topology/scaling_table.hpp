#pragma once

#include "topology/scaling_config.hpp"
#include "topology/shape.hpp"

namespace penstock::topology {

/// The keys of `scaling`, a part of config_shape().
[[nodiscard]] shape_of<scaling_config> scaling_shape();

} // namespace penstock::topology
