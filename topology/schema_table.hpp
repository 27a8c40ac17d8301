#pragma once

#include "topology/config.hpp"
#include "topology/object_shape.hpp"

namespace penstock::topology {

/// The form of a topology file: every key, with what it allows and what it means. Reading, writing, the JSON Schema and
/// the manual all come from it; a new key is a member of its config struct and one line here.
[[nodiscard]] const object_shape<config>& config_shape();

} // namespace penstock::topology
