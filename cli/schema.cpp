#include "topology/schema.hpp"

#include <iostream>
#include <memory>

#include "cli/command.hpp"
#include "cli/topology_file.hpp"
#include "metrics/manual.hpp"

namespace penstock::cli {

void add_schema(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("schema", "Print the JSON Schema of topology files, for editors");
  auto markdown = std::make_shared<bool>(false);
  auto metrics = std::make_shared<bool>(false);
  auto* manual = command->add_flag("--markdown", *markdown, "Print the reference manual instead");
  command->add_flag("--metrics", *metrics, "Print the reference manual of the metrics instead")->excludes(manual);
  command->callback([markdown, metrics, &exit] {
    if (*metrics)
      std::cout << metrics::markdown_reference();
    else
      std::cout << (*markdown ? topology::markdown_reference(known_words()) : topology::json_schema(known_words()));
    std::cout.flush();
    exit = std::cout ? exit_done : exit_failed;
  });
}

} // namespace penstock::cli
