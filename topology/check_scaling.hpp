#pragma once

#include "topology/config.hpp"
#include "topology/findings.hpp"

namespace penstock::topology {

/// Reports what is wrong in `scaling`. `check_files`: also files that are not there.
void check_scaling(const config& c, bool check_files, const findings& find);

/// The role that is scaled: the named one, or else the one that decodes, without sources. Null where there is none.
[[nodiscard]] const node_config* scaled_role(const config& c);

} // namespace penstock::topology
