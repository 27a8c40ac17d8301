#include <memory>

#include "cli/command.hpp"
#include "cli/pipeline.hpp"

namespace penstock::cli {

void add_run(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("run", "Run a whole topology in this process until its streams end or a signal");
  auto args = std::make_shared<pipeline_arguments>();
  add_pipeline_options(*command, *args);
  command->callback([args, &exit] { exit = run_pipeline(*args, std::nullopt); });
}

} // namespace penstock::cli
