#pragma once

#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <poll.h>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "actors/node.hpp"
#include "tests/catch.hpp"
#include "tests/unit/inference/files.hpp"
#include "topology/load.hpp"

/// Whole pipelines in the test's own process.
namespace penstock::actors::test {

inline topology::config topology_of(const std::string& text) {
  topology::load_options options;
  options.vocabulary = {.heads = {"yolov8", "fastestdet", "classify"},
                        .engines = {"onnxruntime"},
                        .sink_kinds = {"jsonl"},
                        .tracker_kinds = {"none"},
                        .devices = {"cpu"},
                        .policies = {"rate"},
                        .no_cuda = "this is a test of the CPU"};
  auto loaded = topology::load_text(text, "t.yaml", options);
  INFO((loaded ? "" : to_string(loaded.error().front())));
  REQUIRE(loaded);
  return std::move(loaded->config);
}

/// What came of a run: objects by stream and frame, as the results have them.
struct node_run {
  run_report report;
  std::string model_line;
  std::map<std::string, std::map<std::uint64_t, nlohmann::json>> objects;
  std::string metrics;
};

inline std::unique_ptr<node> started(const topology::config& config, kernels::device_ptr device) {
  node_options options;
  options.cores = 2;
  options.device = std::move(device);
  auto running = node::start(config, options);
  INFO((running ? "" : running.error().message));
  REQUIRE(running);
  return std::move(*running);
}

/// Waits for the end, or for `milliseconds`; whether it has ended.
inline bool ended(const node& running, int milliseconds) {
  pollfd fd{running.finished_fd(), POLLIN, 0};
  return ::poll(&fd, 1, milliseconds) == 1;
}

inline constexpr int a_minute_ms = 60'000;

/// Runs to the end. The sink of `config` writes `folder/{stream}.jsonl`.
inline node_run run(const topology::config& config, const std::filesystem::path& folder, kernels::device_ptr device) {
  const auto running = started(config, std::move(device));
  REQUIRE(ended(*running, a_minute_ms));
  node_run out{running->report(), running->model_line(), {}, running->metrics().expose()};
  for (const auto& stream : out.report.streams) {
    auto& frames = out.objects[stream.id];
    std::ifstream file{folder / (stream.id + ".jsonl")};
    for (std::string line; std::getline(file, line);) {
      auto result = nlohmann::json::parse(line);
      frames[result.at("seq").get<std::uint64_t>()] = std::move(result.at("objects"));
    }
  }
  return out;
}

/// The first law, for every stream, at the end.
inline void check_ledgers(const run_report& report) {
  for (const auto& stream : report.streams) {
    CAPTURE(stream.id);
    std::uint64_t dropped = 0;
    for (const auto reason : core::all_drop_reasons) dropped += stream.ledger.dropped_for(reason);
    CHECK(stream.ledger.received == stream.ledger.delivered + dropped);
  }
}

} // namespace penstock::actors::test
