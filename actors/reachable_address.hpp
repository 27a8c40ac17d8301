#pragma once

#include <string>

#include "core/error.hpp"

namespace penstock::actors {

/// The address under which others find what listens on `bound` (`tcp://ADDRESS:PORT`). Where that means every address
/// of this machine, the one that it has towards `peer` (`tcp://HOST:PORT`) stands for them. Error: `unavailable` when
/// there is no way to that host.
[[nodiscard]] core::expected<std::string> reachable_address(const std::string& bound, const std::string& peer);

} // namespace penstock::actors
