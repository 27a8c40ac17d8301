#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/logging.hpp"
#include "cli/topology_file.hpp"

namespace penstock::cli {

/// Arguments of the commands that run streams: `run` and `head`.
struct pipeline_arguments {
  topology_arguments topology;
  log_options log;
  std::string metrics;
  std::string ledger;
  std::string json;
  std::string listen; ///< instead of the role's
  bool quiet = false;
  bool fresh = false; ///< forget the checkpoint
};

void add_pipeline_options(CLI::App& command, pipeline_arguments& arguments);

/// Runs a topology until its finite streams end or a signal comes: all of it in this process, or one role. `role` "" is
/// the one with the sources. Returns what the program returns.
[[nodiscard]] int run_pipeline(const pipeline_arguments& arguments, const std::optional<std::string>& role);

} // namespace penstock::cli
