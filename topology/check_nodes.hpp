#pragma once

#include "topology/config.hpp"
#include "topology/findings.hpp"

namespace penstock::topology {

/// Checks that the roles together make a pipeline.
void check_nodes(const config& c, const findings& find);

} // namespace penstock::topology
