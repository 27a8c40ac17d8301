#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/inspect.hpp"
#include "cli/ledger_report.hpp"
#include "cli/topology_file.hpp"
#include "topology/expand.hpp"

namespace penstock::cli {
namespace {

struct arguments {
  topology_arguments topology;
  bool resolved = false;
  std::string json; ///< file, "-" for standard output, empty for none
};

nlohmann::ordered_json figures(const gpu_memory& memory) {
  return {{"device", memory.device.empty() ? nlohmann::ordered_json{} : nlohmann::ordered_json(memory.device)},
          {"lanes", memory.lanes},
          {"batch", memory.batch},
          {"ring_bytes", memory.ring_bytes},
          {"pinned_bytes", memory.pinned_bytes},
          {"weights_bytes", memory.weights_bytes},
          {"decoders", memory.decoders},
          {"decode_bytes", memory.decode_bytes}};
}

nlohmann::ordered_json figures(const topology::problems& problems, const topology::config* valid,
                               const std::optional<gpu_memory>& memory) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& p : problems) {
    list.push_back({{"file", p.file},
                    {"line", p.line},
                    {"column", p.column},
                    {"path", p.path},
                    {"severity", p.severity == topology::severity::error ? "error" : "note"},
                    {"message", p.message}});
  }
  auto streams = nlohmann::ordered_json::array();
  const auto sources = valid != nullptr ? expand_streams(*valid) : std::vector<topology::stream_source>{};
  for (const auto& s : sources.value_or(std::vector<topology::stream_source>{})) {
    streams.push_back({{"id", s.id},
                       {"uri", topology::display_uri(s.uri)},
                       {"kind", to_string(s.kind)},
                       {"policy", s.policy == topology::stream_policy::live ? "live" : "lossless"}});
  }
  return {{"valid", valid != nullptr},
          {"problems", list},
          {"streams", streams},
          {"gpu_memory", memory ? figures(*memory) : nlohmann::ordered_json{}}};
}

int validate(const arguments& args) {
  const auto loaded = load_topology(args.topology);
  auto found = loaded ? loaded->notes : loaded.error();
  std::optional<gpu_memory> memory;
  if (loaded) {
    const auto streams = inspect_streams(*loaded);
    found.insert(found.end(), streams.begin(), streams.end());
    auto model = inspect_model(*loaded);
    found.insert(found.end(), model.problems.begin(), model.problems.end());
    memory = std::move(model.memory);
  }
  report(found);
  const auto valid = !has_errors(found);
  if (!args.json.empty()) {
    if (const auto written = write_json(args.json, figures(found, valid ? &loaded->config : nullptr, memory));
        !written) {
      std::cerr << written.error().message << '\n';
      return exit_failed;
    }
  }
  if (!valid) return exit_bad_config;
  if (args.resolved) std::cout << to_yaml(loaded->config);
  if (!args.resolved && args.json != "-") {
    std::cout << args.topology.file << ": valid\n";
    if (memory) std::cout << "gpu_memory: " << to_string(*memory) << '\n';
  }
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
