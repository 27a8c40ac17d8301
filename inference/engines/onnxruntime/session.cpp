#include "inference/engines/onnxruntime/session.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <onnxruntime_run_options_config_keys.h>
#include <onnxruntime_session_options_config_keys.h>
#include <utility>

using namespace penstock::engine_module;

namespace {

struct element {
  std::int32_t type;
  ONNXTensorElementDataType onnx;
  std::size_t bytes;
};

constexpr std::array<element, 6> elements{{
    {PENSTOCK_F32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, 4},
    {PENSTOCK_F16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, 2},
    {PENSTOCK_I8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, 1},
    {PENSTOCK_U8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, 1},
    {PENSTOCK_I32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, 4},
    {PENSTOCK_I64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, 8},
}};

const element* find(ONNXTensorElementDataType type) {
  const auto* found = std::find_if(elements.begin(), elements.end(), [&](const element& e) { return e.onnx == type; });
  return found == elements.end() ? nullptr : found;
}

tensor_description describe_tensor(const char* direction, std::string name, const Ort::TypeInfo& type) {
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) {
    fail(PENSTOCK_UNSUPPORTED, std::string{direction} + ": " + name + " is not a tensor");
  }
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  auto shape = tensor.GetShape();
  for (auto& extent : shape) extent = std::max<std::int64_t>(extent, -1);
  const auto* known = find(tensor.GetElementType());
  if (known == nullptr) {
    fail(PENSTOCK_UNSUPPORTED, std::string{direction} + ": " + name + " has elements of ONNX type " +
                                   std::to_string(static_cast<int>(tensor.GetElementType())) +
                                   "; known are f32, f16, i8, u8, i32 and i64");
  }
  return {std::move(name), known->type, std::move(shape)};
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

} // namespace

penstock_session::penstock_session(const penstock_load_options& options)
    : env_{environment()}, host_{Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)} {
  load(options);
  describe(options);
}

penstock_session::~penstock_session() {
  if (!execution_.stream) return;
  try {
    execution_.stream->synchronize(); // weights and workspace go next
  } catch (const failure&) {
    // The device has failed: there is nothing under way that could use them.
  }
}

void penstock_session::load(const penstock_load_options& options) {
  auto settings = session_options(options.threads);
  execution_ = append_providers(options, settings);
  const auto tell = [&](const std::string& text) {
    if (options.progress != nullptr) options.progress(options.progress_context, text.c_str());
  };
  const auto began = std::chrono::steady_clock::now();
  if (!execution_.compiles.empty()) {
    tell("TensorRT compiles " + std::string{options.model} + " for " + execution_.stream->device_name() +
         ", which takes minutes; the engine is kept in " + execution_.compiles);
  }
  ort_ = Ort::Session{*env_, options.model, settings};
  if (!execution_.compiles.empty()) {
    const auto took = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
    tell("TensorRT has compiled it in " + std::to_string(took.count()) + " s");
  }
  if (execution_.stream) device_ = Ort::MemoryInfo{"Cuda", OrtArenaAllocator, options.device_index, OrtMemTypeDefault};
}

void penstock_session::describe(const penstock_load_options& options) {
  Ort::AllocatorWithDefaultOptions allocator;
  auto& d = description_;
  for (std::size_t i = 0; i < ort_.GetInputCount(); ++i) {
    d.inputs.push_back(
        describe_tensor("input", ort_.GetInputNameAllocated(i, allocator).get(), ort_.GetInputTypeInfo(i)));
  }
  for (std::size_t i = 0; i < ort_.GetOutputCount(); ++i) {
    d.outputs.push_back(
        describe_tensor("output", ort_.GetOutputNameAllocated(i, allocator).get(), ort_.GetOutputTypeInfo(i)));
  }
  const auto halves = std::any_of(d.inputs.begin(), d.inputs.end(), [](auto& t) { return t.type == PENSTOCK_F16; });
  const auto& providers = execution_.providers;
  const auto converts = std::find(providers.begin(), providers.end(), "tensorrt") != providers.end();
  if ((options.precision == PENSTOCK_PRECISION_F16 && !halves && !converts) ||
      (options.precision == PENSTOCK_PRECISION_F32 && halves)) {
    fail(PENSTOCK_UNSUPPORTED, "ONNX Runtime runs a model in its own precision, which is " +
                                   std::string{halves ? "f16" : "f32"} +
                                   "; convert the model, or use the provider tensorrt for f16");
  }
  d.memory = execution_.stream ? PENSTOCK_DEVICE : PENSTOCK_HOST;
  d.detail = execution_.detail;
  d.finish();
  for (const auto& t : d.inputs) input_names_.push_back(t.name.c_str());
  for (const auto& t : d.outputs) output_names_.push_back(t.name.c_str());
}

std::unique_ptr<penstock_outputs> penstock_session::run(const penstock_tensor* inputs, void* stream) const {
  std::vector<Ort::Value> values;
  values.reserve(input_names_.size());
  for (std::size_t i = 0; i < input_names_.size(); ++i) {
    const auto& t = inputs[i];
    const auto& kind = elements.at(static_cast<std::size_t>(t.type));
    auto bytes = kind.bytes;
    for (int d = 0; d < t.rank; ++d) bytes *= static_cast<std::size_t>(t.shape[d]);
    // The library takes inputs as writable memory, but does not write to them.
    values.push_back(Ort::Value::CreateTensor(t.memory == PENSTOCK_DEVICE ? device_ : host_, const_cast<void*>(t.data),
                                              bytes, t.shape, static_cast<std::size_t>(t.rank), kind.onnx));
  }
  auto outputs = std::make_unique<penstock_outputs>();
  outputs->values = execution_.stream ? run_on_device(values, stream) : run_on_host(values);
  outputs->list.reserve(outputs->values.size());
  for (const auto& value : outputs->values) {
    const auto info = value.GetTensorTypeAndShapeInfo();
    const auto* kind = find(info.GetElementType());
    if (kind == nullptr) fail(PENSTOCK_FAILED, "an output has elements of another type than the model says");
    outputs->list.add(value.GetTensorRawData(), kind->type, description_.memory, info.GetShape());
  }
  return outputs;
}

std::vector<Ort::Value> penstock_session::run_on_host(const std::vector<Ort::Value>& inputs) const {
  return ort_.Run(Ort::RunOptions{nullptr}, input_names_.data(), inputs.data(), inputs.size(), output_names_.data(),
                  output_names_.size());
}

// A stream belongs to a session of ONNX Runtime, not to a run. So the session has its own: it waits for the caller's,
// the run is put on it without waiting for its end, and the caller's waits for it. Runs of one session so follow each
// other on the device, as they do in its arena and its cuBLAS and cuDNN handles, which is why the lock is there;
// callers' copies and kernels overlap them.
std::vector<Ort::Value> penstock_session::run_on_device(const std::vector<Ort::Value>& inputs, void* stream) const {
  Ort::RunOptions options;
  options.AddConfigEntry(kOrtRunOptionsConfigDisableSynchronizeExecutionProviders, "1");
  Ort::IoBinding binding{ort_};
  for (const auto* name : output_names_) binding.BindOutput(name, device_);
  const std::lock_guard lock{enqueue_};
  execution_.stream->begin_after(stream);
  for (std::size_t i = 0; i < inputs.size(); ++i) binding.BindInput(input_names_[i], inputs[i]);
  ort_.Run(options, binding);
  execution_.stream->end_before(stream);
  return binding.GetOutputValues();
}
