#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/topology_file.hpp"
#include "topology/expand.hpp"

namespace penstock::cli {
namespace {

struct arguments {
  topology_arguments topology;
  bool resolved = false;
  std::string json; ///< file, "-" for standard output, empty for none
};

nlohmann::json report(const tl::expected<topology::loaded, topology::problems>& loaded) {
  nlohmann::json problems = nlohmann::json::array();
  for (const auto& p : loaded ? loaded->notes : loaded.error()) {
    problems.push_back({{"file", p.file},
                        {"line", p.line},
                        {"column", p.column},
                        {"path", p.path},
                        {"severity", p.severity == topology::severity::error ? "error" : "note"},
                        {"message", p.message}});
  }
  nlohmann::json streams = nlohmann::json::array();
  if (loaded) {
    if (const auto sources = expand_streams(loaded->config)) {
      for (const auto& s : *sources) {
        streams.push_back({{"id", s.id},
                           {"uri", s.uri},
                           {"kind", to_string(s.kind)},
                           {"policy", s.policy == topology::stream_policy::live ? "live" : "lossless"}});
      }
    }
  }
  return {{"valid", loaded.has_value()}, {"problems", problems}, {"streams", streams}};
}

int write_json(const nlohmann::json& j, const std::string& file) {
  const auto text = j.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  if (file == "-") {
    std::cout << text << std::endl;
    return std::cout ? exit_done : exit_failed;
  }
  std::ofstream out{file};
  out << text << std::endl;
  if (out) return exit_done;
  std::cerr << file << ": cannot be written\n";
  return exit_failed;
}

int validate(const arguments& args) {
  const auto loaded = load_topology(args.topology);
  for (const auto& p : loaded ? loaded->notes : loaded.error()) std::cerr << to_string(p) << '\n';
  if (!args.json.empty()) {
    if (const auto code = write_json(report(loaded), args.json); code != exit_done) return code;
  }
  if (!loaded) return exit_bad_config;
  if (args.resolved) std::cout << to_yaml(loaded->config);
  if (!args.resolved && args.json != "-") std::cout << args.topology.file << ": valid\n";
  std::cout.flush();
  return std::cout ? exit_done : exit_failed;
}

} // namespace

void add_validate(CLI::App& app, int& exit) {
  auto* command = app.add_subcommand("validate", "Check a topology file; print every problem, with its place");
  auto args = std::make_shared<arguments>();
  add_topology_arguments(*command, args->topology);
  auto* resolved = command->add_flag("--resolved", args->resolved, "Print the file with every default written out");
  command->add_option("--json", args->json, "Write the findings as JSON (- for standard output)")
      ->type_name("FILE")
      ->check([resolved](const std::string& file) {
        return file == "-" && resolved->count() > 0 ? "--resolved already writes to standard output" : "";
      });
  command->callback([args, &exit] { exit = validate(*args); });
}

} // namespace penstock::cli
