#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "topology/load.hpp"

namespace penstock::topology::test {

/// A temporary folder, removed at the end.
class sandbox {
 public:
  sandbox() {
    auto pattern = (std::filesystem::temp_directory_path() / "penstock-topology-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
    root_ = pattern;
  }
  ~sandbox() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  sandbox(const sandbox&) = delete;
  sandbox& operator=(const sandbox&) = delete;

  [[nodiscard]] std::filesystem::path path(std::string_view name = "") const { return root_ / name; }

  std::filesystem::path write(std::string_view name, std::string_view text = "x") const {
    const auto file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream{file, std::ios::binary} << text;
    return file;
  }

 private:
  std::filesystem::path root_;
};

inline load_options options() {
  load_options o;
  o.vocabulary = {
      .heads = {"yolov5", "yolov7", "yolov8", "yolo11", "rtdetr", "ssd", "fastestdet", "classify"},
      .engines = {"onnxruntime", "opencv", "torch"},
      .sink_kinds = {"jsonl", "mp4", "zmq"},
      .tracker_kinds = {"none", "iou", "sort"},
      .devices = {"cpu"},
      .policies = {"rate", "threshold", "schedule"},
      .no_cuda = "no CUDA driver is installed",
  };
  o.check_files = false;
  o.environment = [](std::string_view name) -> std::optional<std::string> {
    if (name == "FPS") return "12.5";
    if (name == "EMPTY") return "";
    return std::nullopt;
  };
  return o;
}

/// The shortest valid file.
inline constexpr std::string_view minimal = R"(streams:
  - {id: a, uri: clip.mp4}
stages:
  inference: {model: m.onnx}
  postprocess: {head: yolov8}
sinks:
  - {kind: jsonl, path: out.jsonl}
)";

inline std::vector<std::string> lines(const problems& all) {
  std::vector<std::string> result;
  for (const auto& p : all) result.push_back(to_string(p));
  return result;
}

/// What is said about a text that stands in `t.yaml`.
inline std::vector<std::string> complaints(std::string_view text, const load_options& o = options()) {
  const auto result = load_text(text, "t.yaml", o);
  return lines(result ? result->notes : result.error());
}

} // namespace penstock::topology::test
