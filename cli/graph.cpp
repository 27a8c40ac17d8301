#include "topology/graph.hpp"

#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/topology_file.hpp"

namespace penstock::cli {

void add_graph(CLI::App& app, int& exit) {
  struct arguments {
    topology_arguments topology;
    topology::graph_format format = topology::graph_format::text;
  };
  static const std::map<std::string, topology::graph_format> formats{{"text", topology::graph_format::text},
                                                                     {"dot", topology::graph_format::dot},
                                                                     {"mermaid", topology::graph_format::mermaid}};
  auto* command = app.add_subcommand("graph", "Draw the pipeline that a topology file builds");
  auto args = std::make_shared<arguments>();
  add_topology_arguments(*command, args->topology);
  command->add_option("--format", args->format, "text, dot (Graphviz) or mermaid")
      ->transform(CLI::CheckedTransformer(formats))
      ->type_name("FORMAT");
  command->callback([args, &exit] {
    const auto config = load_or_report(args->topology);
    if (!config) {
      exit = exit_bad_config;
      return;
    }
    std::cout << render(make_graph(*config), args->format);
    std::cout.flush();
    exit = std::cout ? exit_done : exit_failed;
  });
}

} // namespace penstock::cli
