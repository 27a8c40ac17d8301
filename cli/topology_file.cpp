#include "cli/topology_file.hpp"

#include <iostream>
#include <utility>

namespace penstock::cli {

void add_topology_arguments(CLI::App& command, topology_arguments& arguments) {
  command.add_option("file", arguments.file, "Topology file")->required()->type_name("FILE");
  command
      .add_option("--set", arguments.overrides, "Replace a value, as in --set stages.decode.sample_fps=5; repeatable")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
}

topology::vocabulary known_words() {
  return {
      .heads = {"yolov5", "yolov7", "yolov8", "yolo11", "rtdetr", "ssd", "fastestdet", "classify"},
      .engines = {"onnxruntime", "opencv"},
      .sink_kinds = {"jsonl", "mp4"},
      .tracker_kinds = {"none", "iou", "sort"},
      .devices = {"cpu"},
  };
}

tl::expected<topology::loaded, topology::problems> load_topology(const topology_arguments& arguments) {
  topology::load_options options;
  options.vocabulary = known_words();
  options.overrides = arguments.overrides;
  return topology::load(arguments.file, options);
}

std::optional<topology::config> load_or_report(const topology_arguments& arguments) {
  auto loaded = load_topology(arguments);
  for (const auto& p : loaded ? loaded->notes : loaded.error()) std::cerr << to_string(p) << '\n';
  if (!loaded) return std::nullopt;
  return std::move(loaded->config);
}

} // namespace penstock::cli
