#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/gpu/timing.hpp"

namespace penstock::bench {

/// Bytes per second, read and written, of copies within the device's memory: by the driver, by a kernel, and the better
/// of the two, which is what others are measured against.
[[nodiscard]] nlohmann::json copy_figures(const bench_device& on);

/// 64 × 1080p NV12 → 640×640 f16 letterbox. With a `dump` folder the first frame (frame.nv12) and its tensor
/// (tensor.f16) go there, so that another implementation can be compared.
[[nodiscard]] nlohmann::json preprocess_figures(const bench_device& on, const std::filesystem::path& dump);

/// Decode and NMS of 64 × 84 × 8400, by type and number of candidates.
[[nodiscard]] nlohmann::json decode_figures(const bench_device& on);

/// Each kernel per picture, beside its twin on one core of the CPU.
[[nodiscard]] nlohmann::json twin_figures(const bench_device& on);

/// A detector in the pipeline's batches beside the engine alone.
struct pipeline_options {
  std::filesystem::path model;
  std::string engine = "auto";
  std::string precision = "f16";
  std::size_t batch = 32;
  std::size_t lanes = 3;
  std::size_t batches = 200; ///< of one repeat, over all lanes
  int side_px = 640;         ///< of the model's pictures
};
[[nodiscard]] nlohmann::json pipeline_figures(const bench_device& on, const pipeline_options& options);

/// {"median", "low", "high", "repeats"} of a spread, times `unit`.
[[nodiscard]] inline nlohmann::json to_json(const spread& s, double unit = 1) {
  return {{"median", s.median * unit}, {"low", s.low * unit}, {"high", s.high * unit}, {"repeats", s.repeats}};
}

} // namespace penstock::bench
