#pragma once

#include "topology/config.hpp"
#include "topology/shape.hpp"

namespace penstock::topology {

/// Reports what no single value shows: names that stand twice, files that are not there, parts that do not fit
/// together, and what this version does not act on. Says nothing about values that were reported already.
void check(const config& c, bool check_files, read_context& context);

} // namespace penstock::topology
