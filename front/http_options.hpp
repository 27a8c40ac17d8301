#pragma once

#include <string>

#include "gateway/options.hpp"
#include "topology/config.hpp"

namespace penstock::front {

/// What the topology's sections `http` and `security` say about the door at `address` (HOST:PORT, a role's `http`). A
/// topology without them gives the door's own defaults. Times are cut to whole milliseconds.
[[nodiscard]] gateway::options http_options_of(const topology::config& topology, const std::string& address);

} // namespace penstock::front
