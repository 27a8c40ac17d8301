#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/pipeline.hpp"

namespace penstock::cli {

void add_head(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("head", "Run the role with the sources; workers on other machines dial it");
  auto args = std::make_shared<pipeline_arguments>();
  auto role = std::make_shared<std::string>();
  add_pipeline_options(*command, *args);
  command->add_option("--role", *role, "The role of `nodes`; the one with the sources unless given")->type_name("ROLE");
  command->add_option("--listen", args->listen, "Wait for workers here instead")->type_name("ADDRESS");
  command->callback([args, role, &exit] { exit = run_pipeline(*args, *role); });
}

} // namespace penstock::cli
