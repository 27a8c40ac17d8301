#include "topology/graph.hpp"

#include <iostream>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/topology_file.hpp"

namespace penstock::cli {
namespace {

topology::graph_format format_of(const std::string& name) {
  if (name == "dot") return topology::graph_format::dot;
  return name == "mermaid" ? topology::graph_format::mermaid : topology::graph_format::text;
}

} // namespace

void add_graph(CLI::App& app, int& exit) {
  struct arguments {
    topology_arguments topology;
    std::string format = "text";
  };
  auto* command = app.add_subcommand("graph", "Draw the pipeline that a topology file builds");
  auto args = std::make_shared<arguments>();
  add_topology_arguments(*command, args->topology);
  command->add_option("--format", args->format, "text, dot (Graphviz) or mermaid")
      ->check(CLI::IsMember({"text", "dot", "mermaid"}))
      ->type_name("FORMAT");
  command->callback([args, &exit] {
    const auto loaded = load_or_report(args->topology);
    if (!loaded) {
      exit = exit_bad_config;
      return;
    }
    std::cout << render(make_graph(loaded->config), format_of(args->format));
    std::cout.flush();
    exit = std::cout ? exit_done : exit_failed;
  });
}

} // namespace penstock::cli
