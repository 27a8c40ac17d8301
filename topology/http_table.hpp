#pragma once

#include "topology/http_config.hpp"
#include "topology/shape.hpp"

namespace penstock::topology {

/// The keys of `http`, a part of config_shape().
[[nodiscard]] shape_of<http_config> http_shape();

} // namespace penstock::topology
