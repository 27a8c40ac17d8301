#include "cli/topology_file.hpp"

#include <algorithm>
#include <iostream>
#include <utility>

#include "actors/result_sink.hpp"
#include "cli/inspect.hpp"
#include "inference/engine.hpp"
#include "inference/head.hpp"
#include "kernels/device.hpp"
#include "scaling/policy/policies.hpp"
#include "tracking/tracker.hpp"

namespace penstock::cli {

void add_topology_arguments(CLI::App& command, topology_arguments& arguments) {
  command.add_option("file", arguments.file, "Topology file")->required()->type_name("FILE");
  command
      .add_option("--set", arguments.overrides, "Replace a value, as in --set stages.decode.sample_fps=5; repeatable")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
}

topology::vocabulary known_words() {
  topology::vocabulary words;
  words.devices = {"cpu"};
  words.no_cuda = kernels::cuda().absent;
  // Which engine runs there is found out when one loads the model: asking would load all of their libraries.
  if (!kernels::cuda().devices.empty()) words.devices.emplace_back("cuda");
  for (const auto& kind : actors::sink_kinds()) words.sink_kinds.emplace_back(kind.name);
  for (const auto& head : inference::heads()) {
    words.heads.emplace_back(head.name);
    words.heads.insert(words.heads.end(), head.aliases.begin(), head.aliases.end());
  }
  for (const auto* engine : inference::engines()) words.engines.emplace_back(engine->name());
  for (const auto kind : tracking::tracker_kinds()) words.tracker_kinds.emplace_back(kind);
  for (const auto policy : scaling::policy_names()) words.policies.emplace_back(policy);
  return words;
}

tl::expected<topology::loaded, topology::problems> load_topology(const topology_arguments& arguments) {
  topology::load_options options;
  options.vocabulary = known_words();
  options.overrides = arguments.overrides;
  return topology::load(arguments.file, options);
}

void report(const topology::problems& problems) {
  for (const auto& p : problems) std::cerr << to_string(p) << '\n';
}

bool has_errors(const topology::problems& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const auto& p) { return p.severity == topology::severity::error; });
}

std::optional<topology::loaded> load_or_report(const topology_arguments& arguments) {
  auto loaded = load_topology(arguments);
  report(loaded ? loaded->notes : loaded.error());
  if (!loaded) return std::nullopt;
  const auto streams = inspect_streams(*loaded);
  report(streams);
  if (has_errors(streams)) return std::nullopt;
  return std::move(*loaded);
}

} // namespace penstock::cli
