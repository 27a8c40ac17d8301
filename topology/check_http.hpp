#pragma once

#include "topology/config.hpp"
#include "topology/findings.hpp"

namespace penstock::topology {

/// Reports what is wrong in `http`, and with the addresses of the door. `check_files`: also files that are not there.
void check_http(const config& c, bool check_files, const findings& find);

} // namespace penstock::topology
