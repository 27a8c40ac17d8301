#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "topology/load.hpp"

namespace penstock::cli {

/// The topology file of a command, with its overrides.
struct topology_arguments {
  std::string file;
  std::vector<std::string> overrides;
};

/// Adds `FILE` and `--set` to a command.
void add_topology_arguments(CLI::App& command, topology_arguments& arguments);

/// The words that this build knows.
[[nodiscard]] topology::vocabulary known_words();

/// Loads the file; problems and notes go to standard error. Nothing when the file is wrong: the command then ends with
/// exit_bad_config.
[[nodiscard]] std::optional<topology::loaded> load_or_report(const topology_arguments& arguments);

/// The same without printing, and without asking other rooms.
[[nodiscard]] tl::expected<topology::loaded, topology::problems> load_topology(const topology_arguments& arguments);

/// Prints problems to standard error.
void report(const topology::problems& problems);

/// Whether one of them stops the program.
[[nodiscard]] bool has_errors(const topology::problems& problems);

} // namespace penstock::cli
