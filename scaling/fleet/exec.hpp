#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "scaling/fleet.hpp"

namespace penstock::scaling {

/// A fleet that some command knows how to work on.
struct exec_options {
  std::vector<std::string> command;        ///< the program and its arguments
  std::chrono::milliseconds limit{60'000}; ///< of one call; then it is killed with all that it started

  /// Error: `bad_config`, which names the key.
  [[nodiscard]] core::expected<void> validate() const;
};

/// Calls a command with one JSON object on its standard input:
/// `{"action": "observe"}`, `{"action": "set_target", "instances": N}`, `{"action": "retire", "ids": ["…"]}`,
/// `{"action": "protect", "id": "…", "on": true}`. It answers `observe` on its standard output with
/// `{"target": N, "instances": [{"id": "…", "worker": "…", "state": "provisioning|running|deleting|failed",
/// "protected": false}]}` (`id` is needed, `state` is `running` where it is not said), and the others with nothing.
/// Any exit status but 0 is an error that holds the last line of its standard error. Errors: `timeout`, `not_found`,
/// `unavailable`, `corrupt`, `too_large`.
[[nodiscard]] core::expected<fleet_ptr> open_exec(const exec_options& options);

} // namespace penstock::scaling
