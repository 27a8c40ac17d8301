#pragma once

#include <string>

#include "core/error.hpp"

namespace penstock::core {

/// The operating system's error `number` (an errno) as ours: `not_found` for what is not there, else `io`; "what: why".
[[nodiscard]] tl::unexpected<error> system_failure(const std::string& what, int number);

} // namespace penstock::core
