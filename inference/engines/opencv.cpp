#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <utility>

#include "inference/engines/batch.hpp"
#include "inference/engines/engines.hpp"
#include "inference/engines/onnx_signature.hpp"

namespace penstock::inference {
namespace {

constexpr auto engine_name = "opencv";

/// Errors come back as values; OpenCV would write the same text to standard error once more.
void silence_opencv() {
  static const bool done = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
    return true;
  }();
  static_cast<void>(done);
}

core::expected<std::vector<std::byte>> read(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary | std::ios::ate};
  if (!in) return core::fail(core::errc::io, fmt::format("{}: cannot be read", file.string()));
  std::vector<std::byte> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  if (!in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()))) {
    return core::fail(core::errc::io, fmt::format("{}: cannot be read to its end", file.string()));
  }
  return bytes;
}

/// A network can do one run at a time, so there are as many (weights too) as there were runs at once.
class opencv_session final : public session {
 public:
  opencv_session(model_info info, image_input images, std::vector<std::byte> model)
      : info_{std::move(info)}, images_{images}, model_{std::move(model)} {}

  const model_info& info() const noexcept override { return info_; }

  core::expected<outputs> run(core::const_tensor_view images, void* /*stream*/) const override {
    if (auto ok = check_images(info_, images_, images); !ok) return tl::unexpected{std::move(ok).error()};
    try {
      auto net = take();
      auto out = run_on(net, images);
      give(std::move(net)); // not after an exception, which may leave a network half done
      return out;
    } catch (const cv::Exception& e) {
      return core::fail(core::errc::engine, fmt::format("{}: OpenCV: {}", info_.name, e.err));
    }
  }

  /// Loads the first network; throws cv::Exception where OpenCV does not know the model.
  void prepare() { give(take()); }

 private:
  struct results {
    std::vector<cv::Mat> mats;
    std::vector<std::vector<std::int64_t>> shapes;
  };

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
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    return net;
  }

  void give(cv::dnn::Net net) const {
    const std::lock_guard lock{mutex_};
    idle_.push_back(std::move(net));
  }

  core::expected<outputs> run_on(cv::dnn::Net& net, core::const_tensor_view images) const {
    const auto items = static_cast<int>(images.shape[0]);
    const auto batch = info_.max_batch == any_batch ? items : info_.max_batch;
    std::vector<int> extents{images.shape.begin(), images.shape.end()};
    // OpenCV takes inputs as writable memory, but copies them.
    cv::Mat input{extents, CV_32F, const_cast<void*>(images.data)};
    if (batch != items) {
      extents[0] = batch;
      cv::Mat padded{extents, CV_32F, cv::Scalar{0}};
      std::memcpy(padded.data, images.data, images.size_bytes());
      input = padded;
    }
    net.setInput(input, info_.inputs[images_.index].name);
    std::vector<std::string> names;
    for (const auto& output : info_.outputs) names.push_back(output.name);
    auto held = std::make_shared<results>();
    net.forward(held->mats, names);
    outputs out;
    held->shapes.reserve(held->mats.size());
    for (auto& mat : held->mats) {
      mat = mat.clone(); // nothing promises that the next run leaves this memory alone
      auto& shape = held->shapes.emplace_back(mat.size.p, mat.size.p + mat.dims);
      if (!shape.empty() && shape[0] == batch) shape[0] = items;
      if (mat.type() != CV_32F) {
        return core::fail(core::errc::engine, fmt::format("{}: OpenCV gave an output that is not f32", info_.name));
      }
      out.tensors.push_back({mat.data, core::element_type::f32, shape});
    }
    out.owner = std::move(held);
    return out;
  }

  model_info info_;
  image_input images_;
  std::vector<std::byte> model_;
  mutable std::mutex mutex_;
  mutable std::vector<cv::dnn::Net> idle_;
};

class opencv final : public engine {
 public:
  engine_info info() const override { return {engine_name, cv::getVersionString(), {"cpu"}, ""}; }

  core::expected<session_ptr> load(const std::filesystem::path& model, const load_options& options) const override {
    auto digest = check_model_file(model);
    if (!digest) return tl::unexpected{std::move(digest).error()};
    auto device = pick_device(info(), options.device);
    if (!device) return tl::unexpected{std::move(device).error()};
    auto bytes = read(model);
    if (!bytes) return tl::unexpected{std::move(bytes).error()};
    auto signature = read_onnx_signature(*bytes);
    if (!signature) return core::fail(model.string(), std::move(signature).error());
    model_info known;
    known.name = model.filename().string();
    known.inputs = std::move(signature->inputs);
    known.outputs = std::move(signature->outputs);
    known.digest = *std::move(digest);
    known.engine = engine_name;
    known.device = *std::move(device);
    auto plan = plan_inputs(known);
    if (!plan) return tl::unexpected{std::move(plan).error()};
    const auto& images = known.inputs[plan->images.index];
    if (plan->sizes || images.type != core::element_type::f32) {
      return core::fail(core::errc::unsupported,
                        fmt::format("{}: engine opencv takes one input of f32; this model has {}", known.name,
                                    plan->sizes ? "a second one for sizes" : to_string(images)));
    }
    known.max_batch = declared_max_batch(images);
    silence_opencv();
    try {
      cv::setNumThreads(options.threads); // of the whole process: OpenCV knows no other
      auto made = std::make_shared<opencv_session>(std::move(known), plan->images, *std::move(bytes));
      made->prepare();
      return made;
    } catch (const cv::Exception& e) {
      const auto why = signature->shares_initializers
                           ? "its exporter shares equal initialisers through Identity nodes, which OpenCV's importer "
                             "cannot follow; simplify the model (onnxsim), or use engine onnxruntime: "
                           : "";
      return core::fail(core::errc::unsupported, fmt::format("{}: OpenCV {} cannot load it: {}{}", model.string(),
                                                             cv::getVersionString(), why, e.err));
    }
  }
};

} // namespace

const engine& opencv_engine() {
  static const opencv instance;
  return instance;
}

} // namespace penstock::inference
