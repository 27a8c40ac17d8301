#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace penstock::cli {

struct log_options {
  std::string level = "info";
  std::string format = "text";
};

/// Adds `--log-level` and `--log-format` to a command.
void add_log_options(CLI::App& command, log_options& options);

/// Sends the log to standard error as the options say.
void start_logging(const log_options& options);

} // namespace penstock::cli
