#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <onnxruntime_cxx_api.h>
#include <onnxruntime_session_options_config_keys.h>
#include <string_view>
#include <utility>

#include "inference/engines/batch.hpp"
#include "inference/engines/engines.hpp"
#include "kernels/convert.hpp"

namespace penstock::inference {
namespace {

constexpr auto engine_name = "onnxruntime";

core::errc meaning(const Ort::Exception& e) {
  // An operator it does not know (a newer or a custom one) makes a model "invalid" too; only the text tells.
  if (std::string_view{e.what()}.find("No Op registered") != std::string_view::npos) return core::errc::unsupported;
  switch (e.GetOrtErrorCode()) {
  case ORT_NO_SUCHFILE: return core::errc::not_found;
  case ORT_INVALID_PROTOBUF:
  case ORT_INVALID_GRAPH:
  case ORT_NO_MODEL: return core::errc::corrupt;
  case ORT_NOT_IMPLEMENTED: return core::errc::unsupported;
  default: return core::errc::engine;
  }
}

ONNXTensorElementDataType to_onnx(core::element_type type) {
  switch (type) {
  case core::element_type::f32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  case core::element_type::f16: return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
  case core::element_type::i8: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
  case core::element_type::u8: return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
  case core::element_type::i32: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
  case core::element_type::i64: return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

core::expected<tensor_info> describe(std::string name, const Ort::TypeInfo& type) {
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) {
    return core::fail(core::errc::unsupported, fmt::format("{} is not a tensor", name));
  }
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  auto shape = tensor.GetShape();
  for (auto& extent : shape) extent = std::max(extent, dynamic_extent);
  for (auto known : {core::element_type::f32, core::element_type::f16, core::element_type::i8, core::element_type::u8,
                     core::element_type::i32, core::element_type::i64}) {
    if (to_onnx(known) == tensor.GetElementType()) return tensor_info{std::move(name), known, std::move(shape)};
  }
  return core::fail(core::errc::unsupported, fmt::format("{} has elements of ONNX type {}; known are f32, f16, i8, u8, "
                                                         "i32 and i64",
                                                         name, static_cast<int>(tensor.GetElementType())));
}

/// One environment for the process, alive as long as any session.
std::shared_ptr<Ort::Env> environment() {
  // Errors come back as values; what the library would log besides is the same text once more.
  static const auto env = std::make_shared<Ort::Env>(ORT_LOGGING_LEVEL_FATAL, "penstock");
  return env;
}

Ort::SessionOptions session_options(int threads) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  options.SetInterOpNumThreads(1);
  options.SetExecutionMode(ORT_SEQUENTIAL);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  // A thread that spins takes its core from decoders and from other sessions.
  options.AddConfigEntry(kOrtSessionOptionsConfigAllowIntraOpSpinning, "0");
  options.AddConfigEntry(kOrtSessionOptionsConfigAllowInterOpSpinning, "0");
  return options;
}

class onnxruntime_session final : public session, public std::enable_shared_from_this<onnxruntime_session> {
 public:
  onnxruntime_session(std::shared_ptr<Ort::Env> env, Ort::Session ort) : env_{std::move(env)}, ort_{std::move(ort)} {}

  /// Reads the model's signature into the info.
  core::expected<void> describe_model(model_info info) {
    Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < ort_.GetInputCount(); ++i) {
      auto tensor = describe(ort_.GetInputNameAllocated(i, allocator).get(), ort_.GetInputTypeInfo(i));
      if (!tensor) return core::fail(info.name + ": input", std::move(tensor).error());
      info.inputs.push_back(*std::move(tensor));
    }
    for (std::size_t i = 0; i < ort_.GetOutputCount(); ++i) {
      auto tensor = describe(ort_.GetOutputNameAllocated(i, allocator).get(), ort_.GetOutputTypeInfo(i));
      if (!tensor) return core::fail(info.name + ": output", std::move(tensor).error());
      if (tensor->type == core::element_type::f16) tensor->type = core::element_type::f32;
      info.outputs.push_back(*std::move(tensor));
    }
    if (info.outputs.empty()) return core::fail(core::errc::corrupt, info.name + ": the model has no outputs");
    auto plan = plan_inputs(info);
    if (!plan) return tl::unexpected{std::move(plan).error()};
    plan_ = *plan;
    info.max_batch = declared_max_batch(info.inputs[plan_.images.index]);
    info_ = std::move(info);
    for (const auto& t : info_.inputs) input_names_.push_back(t.name.c_str());
    for (const auto& t : info_.outputs) output_names_.push_back(t.name.c_str());
    return {};
  }

  const model_info& info() const noexcept override { return info_; }

  core::expected<outputs> run(core::const_tensor_view images, void* /*stream*/) const override {
    if (auto ok = check_images(info_, plan_.images, images); !ok) return tl::unexpected{std::move(ok).error()};
    try {
      return run_checked(images);
    } catch (const Ort::Exception& e) {
      return core::fail(core::errc::engine, fmt::format("{}: {}", info_.name, e.what()));
    }
  }

 private:
  /// What a run's outputs live in.
  struct results {
    std::shared_ptr<const onnxruntime_session> session;
    std::vector<Ort::Value> values;
    std::vector<std::vector<std::int64_t>> shapes;
    std::vector<std::vector<float>> widened;
  };

  core::expected<outputs> run_checked(core::const_tensor_view images) const {
    const auto items = images.shape[0];
    const auto batch = info_.max_batch == any_batch ? items : std::int64_t{info_.max_batch};
    std::vector<std::int64_t> shape{images.shape.begin(), images.shape.end()};
    std::vector<std::byte> padded;
    if (batch != items) {
      padded.resize(images.size_bytes() / static_cast<std::size_t>(items) * static_cast<std::size_t>(batch));
      std::memcpy(padded.data(), images.data, images.size_bytes());
      shape[0] = batch;
      images = {padded.data(), images.type, shape};
    }
    // The library takes inputs as writable memory, but does not write to them.
    std::vector<Ort::Value> inputs;
    inputs.emplace_back(Ort::Value::CreateTensor(memory_, const_cast<void*>(images.data), images.size_bytes(),
                                                 shape.data(), shape.size(), to_onnx(images.type)));
    std::vector<std::int64_t> sizes;
    const std::array<std::int64_t, 2> sizes_shape{batch, 2};
    if (plan_.sizes) {
      const auto nchw = plan_.images.layout == core::tensor_layout::nchw;
      for (std::int64_t i = 0; i < batch; ++i) sizes.insert(sizes.end(), {shape[nchw ? 3 : 2], shape[nchw ? 2 : 1]});
      inputs.insert(*plan_.sizes < plan_.images.index ? inputs.begin() : inputs.end(),
                    Ort::Value::CreateTensor<std::int64_t>(memory_, sizes.data(), sizes.size(), sizes_shape.data(),
                                                           sizes_shape.size()));
    }
    auto held = std::make_shared<results>();
    held->session = shared_from_this();
    held->values = ort_.Run(Ort::RunOptions{nullptr}, input_names_.data(), inputs.data(), inputs.size(),
                            output_names_.data(), output_names_.size());
    return view(std::move(held), batch, items);
  }

  static outputs view(std::shared_ptr<results> held, std::int64_t batch, std::int64_t items) {
    outputs out;
    const auto n = held->values.size();
    held->shapes.reserve(n);
    for (const auto& value : held->values) {
      const auto info = value.GetTensorTypeAndShapeInfo();
      auto& shape = held->shapes.emplace_back(info.GetShape());
      if (!shape.empty() && shape[0] == batch) shape[0] = items;
      core::const_tensor_view tensor{value.GetTensorRawData(), core::element_type::f32, shape};
      switch (info.GetElementType()) {
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16: {
        auto& wide = held->widened.emplace_back(tensor.elements());
        kernels::to_f32({value.GetTensorData<std::uint16_t>(), wide.size()}, wide);
        tensor.data = wide.data();
        break;
      }
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8: tensor.type = core::element_type::i8; break;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8: tensor.type = core::element_type::u8; break;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32: tensor.type = core::element_type::i32; break;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: tensor.type = core::element_type::i64; break;
      default: break; // f32: loading refused every other type
      }
      out.tensors.push_back(tensor);
    }
    out.owner = std::move(held);
    return out;
  }

  std::shared_ptr<Ort::Env> env_;
  mutable Ort::Session ort_; // its Run is not const, but thread-safe
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  model_info info_;
  input_plan plan_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
};

class onnxruntime final : public engine {
 public:
  engine_info info() const override { return {engine_name, Ort::GetVersionString(), {"cpu"}, ""}; }

  core::expected<session_ptr> load(const std::filesystem::path& model, const load_options& options) const override {
    auto digest = check_model_file(model);
    if (!digest) return tl::unexpected{std::move(digest).error()};
    auto device = pick_device(info(), options.device);
    if (!device) return tl::unexpected{std::move(device).error()};
    try {
      auto env = environment();
      Ort::Session ort{*env, model.c_str(), session_options(options.threads)};
      auto made = std::make_shared<onnxruntime_session>(std::move(env), std::move(ort));
      model_info known;
      known.name = model.filename().string();
      known.digest = *std::move(digest);
      known.engine = engine_name;
      known.device = *std::move(device);
      if (auto ok = made->describe_model(std::move(known)); !ok) return tl::unexpected{std::move(ok).error()};
      return made;
    } catch (const Ort::Exception& e) {
      return core::fail(meaning(e), fmt::format("{}: {}", model.string(), e.what()));
    }
  }
};

} // namespace

const engine& onnxruntime_engine() {
  static const onnxruntime instance;
  return instance;
}

} // namespace penstock::inference
