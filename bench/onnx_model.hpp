#pragma once

#include <onnxruntime_cxx_api.h>
#include <onnxruntime_session_options_config_keys.h>
#include <string>
#include <vector>

namespace penstock::bench {

/// A model in ONNX Runtime as one writes it by hand: one image input, some outputs.
class onnx_model {
 public:
  onnx_model(const std::string& file, int threads) : session_{env_, file.c_str(), options(threads)} {
    Ort::AllocatorWithDefaultOptions allocator;
    input_ = session_.GetInputNameAllocated(0, allocator).get();
    shape_ = session_.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
    for (std::size_t i = 0; i < session_.GetOutputCount(); ++i)
      outputs_.emplace_back(session_.GetOutputNameAllocated(i, allocator).get());
    for (const auto& output : outputs_) output_names_.push_back(output.c_str());
  }

  [[nodiscard]] int width() const { return static_cast<int>(shape_[3]); }
  [[nodiscard]] int height() const { return static_cast<int>(shape_[2]); }
  [[nodiscard]] const std::vector<std::string>& outputs() const { return outputs_; }

  /// `image`: 3 × height × width floats.
  std::vector<Ort::Value> run(float* image) {
    const auto size = static_cast<std::size_t>(3) * static_cast<std::size_t>(width() * height());
    const auto tensor = Ort::Value::CreateTensor<float>(memory_, image, size, shape_.data(), shape_.size());
    const char* input = input_.c_str();
    return session_.Run(Ort::RunOptions{nullptr}, &input, &tensor, 1, output_names_.data(), output_names_.size());
  }

 private:
  static Ort::SessionOptions options(int threads) {
    Ort::SessionOptions o;
    o.SetIntraOpNumThreads(threads);
    o.SetInterOpNumThreads(1);
    o.AddConfigEntry(kOrtSessionOptionsConfigAllowIntraOpSpinning, "0");
    return o;
  }

  Ort::Env env_{ORT_LOGGING_LEVEL_FATAL, "bench"};
  Ort::Session session_;
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::string input_;
  std::vector<std::int64_t> shape_;
  std::vector<std::string> outputs_;
  std::vector<const char*> output_names_;
};

} // namespace penstock::bench
