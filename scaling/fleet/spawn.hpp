#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/descriptor.hpp"
#include "core/error.hpp"
#include "core/system_failure.hpp"

namespace penstock::scaling {

using core::descriptor;
using core::system_failure;

/// Where a program's standard streams go.
struct streams {
  int in = -1;
  int out = -1;
  int err = -1;
};

/// Starts a program in a process group of its own, with no signal blocked or ignored. `words` are the program (looked
/// for in PATH) and its arguments; `environment` is added to this process's. Error: `not_found`, `io`.
[[nodiscard]] core::expected<pid_t> spawn(const std::vector<std::string>& words, const streams& to,
                                          const std::vector<std::string>& environment = {});

} // namespace penstock::scaling
