#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "topology/streams_config.hpp"

namespace penstock::topology {

/// `automatic` is a GPU where there is one that can be used.
enum class device : std::uint8_t { automatic, cpu, cuda };

/// Numbers inside the model; `automatic`: as the model has them.
enum class precision : std::uint8_t { automatic, fp32, fp16 };

/// What ONNX Runtime runs a model with.
enum class provider : std::uint8_t { cpu, cuda, tensorrt };

/// `exact` decodes as the standard says; `fast` skips the loop filter on frames that no other refers to.
enum class decode_effort : std::uint8_t { exact, fast };

enum class resize_fit : std::uint8_t {
  letterbox, ///< keeps the aspect ratio, pads the rest
  stretch,   ///< fills the tensor, changes the aspect ratio
  crop,      ///< keeps the aspect ratio, cuts what is over
};

enum class resize_filter : std::uint8_t { bilinear, area };

enum class color_order : std::uint8_t { rgb, bgr };

struct decode_config {
  topology::device device = topology::device::automatic;
  double sample_fps = 0; ///< frames/s of a stream that are worked on; 0: all
  decode_effort effort = decode_effort::exact;
  std::optional<int> concurrency{}; ///< segments decoded at the same time; auto: one per core

  bool operator==(const decode_config&) const = default;
};

struct size_px {
  int width = 0;
  int height = 0;

  bool operator==(const size_px&) const = default;
};

/// The tensor holds `(value - mean) * scale`, value 0 to 255, channels in the order of `color`.
struct preprocess_config {
  resize_fit fit = resize_fit::letterbox;
  resize_filter filter = resize_filter::bilinear;
  color_order color = color_order::rgb;
  std::array<float, 3> mean{0, 0, 0};
  std::array<float, 3> scale{1.0F / 255, 1.0F / 255, 1.0F / 255};
  float pad = 114;               ///< value of letterbox borders, before mean and scale
  std::optional<size_px> size{}; ///< auto: what the model says

  bool operator==(const preprocess_config&) const = default;
};

/// A batch goes to the engine when `max` images are there or the first has waited for `wait`.
struct batch_config {
  int max = 8;
  duration wait = std::chrono::milliseconds{4};

  bool operator==(const batch_config&) const = default;
};

struct inference_config {
  std::filesystem::path model{};
  std::string engine = "auto"; ///< a name of vocabulary::engines, or "auto": the first that loads the model
  topology::device device = topology::device::automatic;
  topology::precision precision = topology::precision::automatic;
  std::vector<provider> providers{}; ///< of ONNX Runtime, in order of preference; empty: its own choice
  std::filesystem::path cache{};     ///< folder of compiled engines; empty: none are kept
  batch_config batch{};
  std::optional<int> instances{}; ///< batches under way at the same time; auto: one per core (CPU), 3 (GPU)
  int threads = 1;                ///< of the engine, inside one instance

  bool operator==(const inference_config&) const = default;
};

struct postprocess_config {
  std::string head{};             ///< a name of vocabulary::heads
  std::filesystem::path labels{}; ///< one class name per line; empty: classes are numbers
  float score = 0.25F;            ///< objects below are left out
  float iou = 0.45F;              ///< NMS removes the weaker of two boxes that overlap more
  int max_objects = 300;          ///< per frame, the best
  int top_k = 5;                  ///< classes per frame of the `classify` head
  bool class_agnostic = false;    ///< NMS across classes

  bool operator==(const postprocess_config&) const = default;
};

struct stages_config {
  decode_config decode{};
  preprocess_config preprocess{};
  inference_config inference{};
  postprocess_config postprocess{};

  bool operator==(const stages_config&) const = default;
};

} // namespace penstock::topology
