#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace penstock::scaling {

/// Runs a command to its end with a text on its standard input, and gives its standard output. What it leaves
/// running is left alone, unless it fails by time or size: then its process group is killed. Errors: `not_found`, `io`,
/// `timeout`, `too_large` (more than 4 MiB), and `unavailable` for an exit status that is not 0, with the last line of
/// its standard error.
[[nodiscard]] core::expected<std::string> run_command(const std::vector<std::string>& words, std::string_view input,
                                                      std::chrono::milliseconds limit);

} // namespace penstock::scaling
