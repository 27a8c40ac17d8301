#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/core/cuda.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/engine_abi.h"
#include "inference/engines/module.hpp"
#include "inference/engines/onnx_signature.hpp"

using namespace penstock::engine_module;

struct penstock_outputs {
  std::vector<cv::Mat> mats;
  output_list list;
};

namespace {

/// Errors come back as values; OpenCV would write the same text to standard error once more.
void silence_opencv() {
  static const bool done = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
    return true;
  }();
  static_cast<void>(done);
}

std::vector<std::byte> read(const std::string& file) {
  std::ifstream in{file, std::ios::binary | std::ios::ate};
  if (!in) fail(PENSTOCK_IO, "cannot be read");
  std::vector<std::byte> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  if (!in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()))) {
    fail(PENSTOCK_IO, "cannot be read to its end");
  }
  return bytes;
}

bool has_cuda(cv::dnn::Target target) {
  const auto targets = cv::dnn::getAvailableTargets(cv::dnn::DNN_BACKEND_CUDA);
  return std::find(targets.begin(), targets.end(), target) != targets.end();
}

std::string opencv_cuda_absent() {
  if (has_cuda(cv::dnn::DNN_TARGET_CUDA)) return "";
  if (auto reason = cuda_absent(); cv::cuda::getCudaEnabledDeviceCount() != 0 && !reason.empty()) return reason;
  return "this OpenCV (" + cv::getVersionString() + ") was built without CUDA (OPENCV_DNN_CUDA)";
}

std::vector<tensor_description> describe(const std::vector<penstock::inference::tensor_info>& tensors) {
  std::vector<tensor_description> all;
  for (const auto& t : tensors) all.push_back({t.name, static_cast<std::int32_t>(t.type), t.shape});
  return all;
}

} // namespace

/// A network can do one run at a time, so there are as many (weights too) as there were runs at once. It takes and
/// gives host memory on every device.
struct penstock_session {
 public:
  explicit penstock_session(const penstock_load_options& options) : model_{read(options.model)} {
    auto signature = penstock::inference::read_onnx_signature(model_);
    if (!signature) {
      const auto damaged = signature.error().code == penstock::core::errc::corrupt;
      fail(damaged ? PENSTOCK_CORRUPT : PENSTOCK_UNSUPPORTED, signature.error().message);
    }
    description_.inputs = describe(signature->inputs);
    description_.outputs = describe(signature->outputs);
    choose(options);
    description_.finish();
    silence_opencv();
    cv::setNumThreads(options.threads); // of the whole process: OpenCV knows no other
    try {
      // A model with more inputs of f32 is refused by the caller, who can say which of them it cannot fill.
      if (description_.inputs.size() == 1) give(take());
    } catch (const cv::Exception& e) {
      const auto why = signature->shares_initializers
                           ? "its exporter shares equal initialisers through Identity nodes, which OpenCV's importer "
                             "cannot follow; simplify the model (onnxsim), or use engine onnxruntime: "
                           : "";
      fail(PENSTOCK_UNSUPPORTED, "OpenCV " + cv::getVersionString() + " cannot load it: " + why + e.err);
    }
  }

  [[nodiscard]] const penstock_model* model() const noexcept { return description_.model(); }

  [[nodiscard]] std::unique_ptr<penstock_outputs> run(const penstock_tensor& images) const {
    try {
      if (backend_ == cv::dnn::DNN_BACKEND_CUDA) cv::cuda::setDevice(device_); // of this thread
      auto net = take();
      auto outputs = run_on(net, images);
      give(std::move(net)); // not after an exception, which may leave a network half done
      return outputs;
    } catch (const cv::Exception& e) {
      fail(PENSTOCK_FAILED, "OpenCV: " + e.err);
    }
  }

 private:
  /// What the network runs on, and whether this engine can feed it.
  void choose(const penstock_load_options& options) {
    const auto half = options.precision == PENSTOCK_PRECISION_F16;
    if (std::string_view{options.device} == "cuda") {
      backend_ = cv::dnn::DNN_BACKEND_CUDA;
      target_ = half ? cv::dnn::DNN_TARGET_CUDA_FP16 : cv::dnn::DNN_TARGET_CUDA;
      device_ = options.device_index;
      if (half && !has_cuda(target_)) fail(PENSTOCK_UNSUPPORTED, "this GPU is too old for f16 in OpenCV");
      cv::cuda::setDevice(device_);
    } else if (half) {
      fail(PENSTOCK_UNSUPPORTED, "engine opencv computes in f32 on the CPU");
    }
    for (const auto& t : description_.inputs) {
      if (t.type == PENSTOCK_F32) continue;
      fail(PENSTOCK_UNSUPPORTED,
           "engine opencv takes inputs of f32; this model's " + t.name + " has " + type_name(t.type));
    }
  }

  cv::dnn::Net take() const {
    {
      const std::lock_guard lock{mutex_};
      if (!idle_.empty()) {
        auto net = std::move(idle_.back());
        idle_.pop_back();
        return net;
      }
    }
    auto net = cv::dnn::readNetFromONNX(reinterpret_cast<const char*>(model_.data()), model_.size());
    net.setPreferableBackend(backend_);
    net.setPreferableTarget(target_);
    return net;
  }

  void give(cv::dnn::Net net) const {
    const std::lock_guard lock{mutex_};
    idle_.push_back(std::move(net));
  }

  [[nodiscard]] std::unique_ptr<penstock_outputs> run_on(cv::dnn::Net& net, const penstock_tensor& images) const {
    const std::vector<int> extents{images.shape, images.shape + images.rank};
    // OpenCV takes inputs as writable memory, but copies them.
    const cv::Mat input{extents, CV_32F, const_cast<void*>(images.data)};
    net.setInput(input, description_.inputs[0].name);
    std::vector<std::string> names;
    for (const auto& output : description_.outputs) names.push_back(output.name);
    auto outputs = std::make_unique<penstock_outputs>();
    net.forward(outputs->mats, names);
    outputs->list.reserve(outputs->mats.size());
    for (auto& mat : outputs->mats) {
      mat = mat.clone(); // nothing promises that the next run leaves this memory alone
      if (mat.type() != CV_32F) fail(PENSTOCK_FAILED, "OpenCV gave an output that is not f32");
      outputs->list.add(mat.data, PENSTOCK_F32, PENSTOCK_HOST, {mat.size.p, mat.size.p + mat.dims});
    }
    return outputs;
  }

  std::vector<std::byte> model_;
  model_description description_;
  cv::dnn::Backend backend_ = cv::dnn::DNN_BACKEND_OPENCV;
  cv::dnn::Target target_ = cv::dnn::DNN_TARGET_CPU;
  int device_ = 0;
  mutable std::mutex mutex_;
  mutable std::vector<cv::dnn::Net> idle_;
};

namespace {

std::int32_t devices(const penstock_engine_device** list) {
  static const auto absent = opencv_cuda_absent();
  static const std::array<penstock_engine_device, 2> known{{
      {"cuda", absent.empty() ? nullptr : absent.c_str()},
      {"cpu", nullptr},
  }};
  *list = known.data();
  return static_cast<std::int32_t>(known.size());
}

std::int32_t load(const penstock_load_options* given, penstock_session** session, penstock_error* error) {
  return guarded(error, [&] { *session = std::make_unique<penstock_session>(options_of(*given)).release(); });
}

void unload(penstock_session* session) { delete session; }

const penstock_model* model(const penstock_session* session) { return session->model(); }

std::int32_t run(const penstock_session* session, const penstock_tensor* inputs, std::int32_t /*input_count*/,
                 void* /*stream*/, penstock_outputs** outputs, penstock_error* error) {
  return guarded(error, [&] { *outputs = session->run(inputs[0]).release(); });
}

const penstock_tensor* tensors(const penstock_outputs* outputs) { return outputs->list.tensors(); }

void release(penstock_outputs* outputs) { delete outputs; }

} // namespace

const penstock_engine* penstock_engine_module(std::uint32_t /*abi*/) {
  static const auto version = cv::getVersionString();
  static const penstock_engine engine{PENSTOCK_ENGINE_ABI,
                                      sizeof(penstock_engine),
                                      "opencv",
                                      version.c_str(),
                                      devices,
                                      load,
                                      unload,
                                      model,
                                      run,
                                      tensors,
                                      release};
  return &engine;
}
