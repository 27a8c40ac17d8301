#pragma once

#include <ATen/core/Tensor.h>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// CUDA, for builds of libtorch that have it (torch_cuda.cpp) and those that do not (torch_cpu.cpp).
namespace penstock::engine_module::torchscript {

/// The model: images in, contiguous outputs that share no memory with them. Thread-safe.
using forward = std::function<std::vector<at::Tensor>(const at::Tensor& images)>;

/// Runs a model on one CUDA device. Thread-safe. Exceptions of libtorch come through.
class gpu {
 public:
  gpu() = default;
  gpu(const gpu&) = delete;
  gpu& operator=(const gpu&) = delete;
  virtual ~gpu() = default;

  [[nodiscard]] virtual at::Device device() const noexcept = 0;

  /// Warms the model up on blank images of that shape, and finds out whether it can run as a CUDA graph: the answer is
  /// for `penstock_model::detail`.
  [[nodiscard]] virtual std::string prepare(const forward& model, at::IntArrayRef shape, at::ScalarType type) = 0;

  /// Puts a run on the stream (a cudaStream_t). Images and outputs are device memory; outputs are not written to again.
  [[nodiscard]] virtual std::vector<at::Tensor> run(const forward& model, const at::Tensor& images, void* stream) = 0;
};

/// Why there is no CUDA device to run on; empty when there is.
[[nodiscard]] const std::string& gpu_absent();

/// Throws `failure` where there is none of that number.
[[nodiscard]] std::unique_ptr<gpu> make_gpu(int index);

} // namespace penstock::engine_module::torchscript
