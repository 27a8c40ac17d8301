#pragma once

#include <ATen/core/Tensor.h>
#include <memory>
#include <string>
#include <vector>

namespace penstock::engine_module::torchscript {

struct named_tensor {
  std::string name;
  at::Tensor tensor;
};

/// A TorchScript program with its weights, on one device. The one file that knows libtorch's interpreter, whose headers
/// take most of the time that this module compiles.
class program {
 public:
  /// Throws `failure` where the file is none, or takes something else than one tensor.
  program(const std::string& file, at::Device device);
  ~program();
  program(const program&) = delete;
  program& operator=(const program&) = delete;

  /// Of the one input.
  [[nodiscard]] const std::string& input_name() const noexcept;

  /// Of the weights; f32 where there are none.
  [[nodiscard]] at::ScalarType type() const;

  /// Converts weights and buffers as `torch.nn.Module.to` does: numbers of floating point only.
  void convert(at::ScalarType type);

  /// Replaces the program by a faster one: weights are constants, normalisation is part of convolutions, and on the CPU
  /// they run in oneDNN's own layout. Not every program survives this; then it throws, or the next run does.
  void optimize();
  /// Goes back to the program as it was read.
  void restore();

  /// Runs the program. The tensors come in the order of the tuple, list or dictionary that it gives, contiguous, of
  /// types that the interface has, and share no memory with the images. Their names are the dictionary's keys,
  /// otherwise `output0` and so on, as exporters to ONNX call them. Throws `failure` for what is no tensor.
  /// Thread-safe.
  [[nodiscard]] std::vector<named_tensor> run(const at::Tensor& images) const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace penstock::engine_module::torchscript
