#pragma once

#include <ATen/core/Tensor.h>
#include <memory>
#include <vector>

#include "inference/engine_abi.h"
#include "inference/engines/module.hpp"
#include "inference/engines/torch/gpu.hpp"
#include "inference/engines/torch/program.hpp"

/// A loaded TorchScript model.
///
/// TorchScript tells neither the size of pictures nor the outputs: the options must say the size, and one blank picture
/// is run while loading, to see the outputs.
///
/// Runs of several threads share the weights. libtorch's OpenMP keeps the number of threads inside an operator for each
/// calling thread, so `threads` holds for the runs of this session, and other sessions keep their own.
struct penstock_session {
  /// Throws `failure`.
  explicit penstock_session(const penstock_load_options& options);

  penstock::engine_module::model_description description;

  /// Throws `failure`. Thread-safe.
  [[nodiscard]] std::unique_ptr<penstock_outputs> run(const penstock_tensor* inputs, int count, void* stream) const;

 private:
  void choose_type(int precision);
  void choose_program();
  void describe_outputs();
  void prepare_gpu(const penstock_load_options& options);

  void set_threads() const;
  [[nodiscard]] at::Tensor images_of(const penstock_tensor* inputs, int count) const;
  [[nodiscard]] std::vector<at::Tensor> forward(const at::Tensor& images) const;

  int threads_;
  std::unique_ptr<penstock::engine_module::torchscript::program> program_;
  std::unique_ptr<penstock::engine_module::torchscript::gpu> gpu_; ///< null on the CPU
  at::Device device_ = at::kCPU;
  at::ScalarType type_ = at::kFloat; ///< of weights and images
};

/// Tensors that nothing else writes to.
struct penstock_outputs {
  std::vector<at::Tensor> owners;
  penstock::engine_module::output_list list;
};
