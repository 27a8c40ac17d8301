#pragma once

#include <CLI/CLI.hpp>

namespace penstock::cli {

/// What the program returns; part of its contract with scripts.
inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;      ///< a runtime failure, or frames of a lossless stream were not delivered
inline constexpr int exit_usage = 64;      ///< wrong arguments
inline constexpr int exit_bad_config = 78; ///< wrong topology file

// Each adds one command to the program. The command's callback runs it and stores what the program returns in `exit`,
// which outlives it.

void add_run(CLI::App& app, int& exit);
void add_head(CLI::App& app, int& exit);
void add_worker(CLI::App& app, int& exit);
void add_drain(CLI::App& app, int& exit);
void add_scale(CLI::App& app, int& exit);
void add_simulate(CLI::App& app, int& exit);
void add_keys(CLI::App& app, int& exit);
void add_validate(CLI::App& app, int& exit);
void add_graph(CLI::App& app, int& exit);
void add_schema(CLI::App& app, int& exit);
void add_push(CLI::App& app, int& exit);
void add_submit(CLI::App& app, int& exit);
void add_jobs(CLI::App& app, int& exit);
void add_top(CLI::App& app, int& exit);
void add_devices(CLI::App& app, int& exit);
void add_version(CLI::App& app, int& exit);

} // namespace penstock::cli
