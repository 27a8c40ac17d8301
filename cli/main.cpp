#include "cli/command.hpp"

namespace {

using penstock::cli::exit_done;
using penstock::cli::exit_usage;

/// Every command, in the order of `--help`.
constexpr auto commands = {
    penstock::cli::add_run,   penstock::cli::add_head,     penstock::cli::add_worker,  penstock::cli::add_drain,
    penstock::cli::add_scale, penstock::cli::add_simulate, penstock::cli::add_push,    penstock::cli::add_submit,
    penstock::cli::add_jobs,  penstock::cli::add_top,      penstock::cli::add_keys,    penstock::cli::add_validate,
    penstock::cli::add_graph, penstock::cli::add_schema,   penstock::cli::add_devices, penstock::cli::add_version,
};

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Video and images in, detections out", "penstock"};
  app.require_subcommand(1);
  auto exit = exit_done;
  for (auto add : commands) add(app, exit);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? exit_done : exit_usage;
  }
  return exit;
}
