#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "scaling/fleet.hpp"

namespace penstock::scaling {

/// Workers as processes of this machine.
struct process_options {
  std::vector<std::string> command;        ///< the program and its arguments; `{name}` becomes the worker's name
  std::filesystem::path folder;            ///< for a file and a log of each worker; made where it is not there
  std::string prefix = "worker-";          ///< begins their names
  std::chrono::milliseconds grace{30'000}; ///< from SIGTERM to SIGKILL
  int most = 1'000;                        ///< of them at a time

  /// Error: `bad_config`, which names the key.
  [[nodiscard]] core::expected<void> validate() const;
};

/// Starts workers with output to FOLDER/NAME.log and retires them by SIGTERM, which drains them, and SIGKILL after the
/// grace. They outlive the one who started them: the next finds them by FOLDER/NAME.worker, which holds each one's
/// number and start; also those whose file was not written to its end. A worker that ends by itself is gone (see
/// `problems`), and the target with it. Errors: `bad_config`, `io`, `unavailable` while another process has the folder.
[[nodiscard]] core::expected<fleet_ptr> open_processes(const process_options& options);

} // namespace penstock::scaling
