#include "inference/engines/onnxruntime/providers.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

#include "inference/engines/module.hpp"
#include "inference/engines/onnx_signature.hpp"

namespace penstock::engine_module {
namespace {

struct provider {
  std::string_view name;
  const char* library_name;
  std::string_view device;
};

constexpr std::array<provider, 3> known{{
    {"tensorrt", "TensorrtExecutionProvider", "cuda"},
    {"cuda", "CUDAExecutionProvider", "cuda"},
    {"cpu", "CPUExecutionProvider", "cpu"},
}};

bool in_library(const provider& p) {
  const auto available = Ort::GetAvailableProviders();
  return std::find(available.begin(), available.end(), p.library_name) != available.end();
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> names;
  std::istringstream in{std::string{list}};
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  return names;
}

const provider& find_provider(const std::string& name) {
  const auto* found = std::find_if(known.begin(), known.end(), [&](const provider& p) { return p.name == name; });
  if (found == known.end()) {
    fail(PENSTOCK_INVALID, "provider \"" + name + "\" is unknown; ONNX Runtime is used with tensorrt, cuda and cpu");
  }
  return *found;
}

void append(std::string& list, std::string_view text, std::string_view between = ", ") {
  if (!list.empty()) list += between;
  list += text;
}

/// What serves the device, in the order asked for. The CPU takes what is left over of a graph by itself, so it counts
/// only where it is the device.
execution choose(const penstock_load_options& asked) {
  const std::string_view device{asked.device};
  auto names = split(asked.providers == nullptr ? "" : asked.providers);
  if (names.empty()) names = {std::string{device}}; // TensorRT compiles for minutes: it is asked for, or not used
  execution chosen;
  std::string unused;
  for (const auto& name : names) {
    const auto& p = find_provider(name);
    if (p.device == device && in_library(p)) {
      chosen.providers.push_back(name);
    } else if (p.name != "cpu") {
      append(unused,
             name + (p.device == device ? " (not in this ONNX Runtime)" : " (not on " + std::string{device} + ")"));
    }
  }
  if (chosen.providers.empty()) {
    fail(PENSTOCK_UNSUPPORTED, "none of the providers asked for runs on " + std::string{device} +
                                   " with ONNX Runtime " + Ort::GetVersionString() +
                                   (unused.empty() ? "" : ": " + unused));
  }
  if (device != "cpu") {
    for (const auto& name : chosen.providers) append(chosen.detail, name);
  }
  if (!unused.empty()) append(chosen.detail, "without " + unused);
  return chosen;
}

/// The extents of the images that TensorRT compiles for, `NAME:1x3x640x640` for every open input; empty where the model
/// leaves nothing open but what its owner does not say, so that TensorRT looks at the first run.
std::string profile(const inference::onnx_signature& signature, const penstock_load_options& asked,
                    std::int64_t batch) {
  std::string shapes;
  for (const auto& input : signature.inputs) {
    if (std::find(input.shape.begin(), input.shape.end(), -1) == input.shape.end()) continue;
    auto shape = input.shape;
    const bool nchw = shape.size() == 4 && (shape[1] == 3 || shape[1] == 1);
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] != -1) continue;
      if (d == 0)
        shape[d] = batch;
      else if (shape.size() == 4)
        shape[d] = d == (nchw ? 2U : 1U) ? asked.height_px : asked.width_px;
      else if (shape.size() == 2)
        shape[d] = 2; // the images' sizes
      if (shape[d] <= 0) return {};
    }
    std::string extents;
    for (const auto extent : shape) append(extents, std::to_string(extent), "x");
    append(shapes, input.name + ":" + extents, ",");
  }
  return shapes;
}

inference::onnx_signature signature_of(const char* file) {
  std::ifstream in{file, std::ios::binary};
  const std::string bytes{std::istreambuf_iterator<char>{in}, {}};
  auto signature = inference::read_onnx_signature(std::as_bytes(std::span{bytes}));
  if (!signature) fail(PENSTOCK_CORRUPT, signature.error().message);
  return *std::move(signature);
}

/// A name for a folder: letters, digits, dots and dashes.
std::string folder_name(std::string text) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-'; };
  std::replace_if(
      text.begin(), text.end(), [&](char c) { return !plain(static_cast<unsigned char>(c)); }, '_');
  return text;
}

bool has_engine(const std::filesystem::path& folder) {
  std::error_code none;
  for (const auto& file : std::filesystem::directory_iterator{folder, none}) {
    if (file.path().extension() == ".engine") return true;
  }
  return false;
}

/// Options of a provider, from keys and values.
class option_list {
 public:
  void add(std::string key, std::string value) {
    keys_.push_back(std::move(key));
    values_.push_back(std::move(value));
  }

  template <class Update, class Options>
  void give(Update update, Options* options) const {
    std::vector<const char*> keys;
    std::vector<const char*> values;
    for (const auto& k : keys_) keys.push_back(k.c_str());
    for (const auto& v : values_) values.push_back(v.c_str());
    Ort::ThrowOnError(update(options, keys.data(), values.data(), keys.size()));
  }

 private:
  std::vector<std::string> keys_;
  std::vector<std::string> values_;
};

void append_tensorrt(const penstock_load_options& asked, execution& chosen, Ort::SessionOptions& options) {
  const auto signature = signature_of(asked.model);
  const auto least = profile(signature, asked, 1);
  const auto most = profile(signature, asked, std::max(asked.max_batch, 1));
  const auto half = asked.precision == PENSTOCK_PRECISION_F16;
  option_list list;
  list.add("device_id", std::to_string(asked.device_index));
  list.add("trt_fp16_enable", half ? "1" : "0");
  if (!least.empty()) {
    list.add("trt_profile_min_shapes", least);
    list.add("trt_profile_opt_shapes", most);
    list.add("trt_profile_max_shapes", most);
  }
  if (asked.cache_folder != nullptr && *asked.cache_folder != '\0') {
    const auto digest = std::string{asked.model_digest == nullptr ? "" : asked.model_digest}.substr(0, 16);
    const auto shapes = most.empty() ? std::string{"fixed"} : least + "-" + most;
    const auto folder =
        std::filesystem::path{asked.cache_folder} / "tensorrt" /
        folder_name(digest + "-" + chosen.stream->device_name() + "-" + (half ? "f16" : "model") + "-" + shapes);
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) fail(PENSTOCK_IO, folder.string() + ": cannot be made: " + error.message());
    for (const auto* what : {"engine", "timing"}) {
      list.add(std::string{"trt_"} + what + "_cache_enable", "1");
      list.add(std::string{"trt_"} + what + "_cache_path", folder.string());
    }
    if (!has_engine(folder)) chosen.compiles = folder.string();
  } else {
    chosen.compiles = "nowhere: no cache folder is given";
  }
  const auto& api = Ort::GetApi();
  OrtTensorRTProviderOptionsV2* raw = nullptr;
  Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&raw));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2, decltype(api.ReleaseTensorRTProviderOptions)> held{
      raw, api.ReleaseTensorRTProviderOptions};
  list.give(api.UpdateTensorRTProviderOptions, raw);
  Ort::ThrowOnError(api.UpdateTensorRTProviderOptionsWithValue(raw, "user_compute_stream", chosen.stream->native()));
  options.AppendExecutionProvider_TensorRT_V2(*raw);
}

void append_cuda(const penstock_load_options& asked, const execution& chosen, Ort::SessionOptions& options) {
  option_list list;
  list.add("device_id", std::to_string(asked.device_index));
  // Every algorithm search costs a second run of each new shape; the heuristic finds nearly the same.
  list.add("cudnn_conv_algo_search", "HEURISTIC");
  const auto& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* raw = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&raw));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, decltype(api.ReleaseCUDAProviderOptions)> held{
      raw, api.ReleaseCUDAProviderOptions};
  list.give(api.UpdateCUDAProviderOptions, raw);
  Ort::ThrowOnError(api.UpdateCUDAProviderOptionsWithValue(raw, "user_compute_stream", chosen.stream->native()));
  options.AppendExecutionProvider_CUDA_V2(*raw);
}

} // namespace

std::string onnxruntime_cuda_absent() {
  const auto remedy = "; put the folder of a GPU build (onnxruntime-gpu) in LD_LIBRARY_PATH, or build with "
                      "-DONNXRUNTIME_ROOT=<its folder>";
  const auto version = "this ONNX Runtime (" + Ort::GetVersionString() + ")";
  if (!in_library(known[0]) && !in_library(known[1])) return version + " was built without CUDA" + remedy;
  // It loads its CUDA part from beside itself, when it is asked to; some packages leave that out.
  Dl_info library{};
  if (dladdr(reinterpret_cast<const void*>(&OrtGetApiBase), &library) != 0) {
    const auto part = std::filesystem::path{library.dli_fname}.parent_path() / "libonnxruntime_providers_cuda.so";
    std::error_code error;
    if (!std::filesystem::exists(part, error)) return version + " comes without " + part.string() + remedy;
  }
  return cuda_absent();
}

execution append_providers(const penstock_load_options& asked, Ort::SessionOptions& options) {
  auto chosen = choose(asked);
  if (std::string_view{asked.device} == "cpu") return chosen;
  chosen.stream = std::make_unique<cuda_stream>(asked.device_index);
  try {
    for (const auto& name : chosen.providers) {
      if (name == "tensorrt")
        append_tensorrt(asked, chosen, options);
      else
        append_cuda(asked, chosen, options);
    }
  } catch (const Ort::Exception& e) { // a library of CUDA, cuDNN or TensorRT is missing or of another version
    fail(PENSTOCK_UNSUPPORTED, e.what());
  }
  return chosen;
}

} // namespace penstock::engine_module
