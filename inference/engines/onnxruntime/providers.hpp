#pragma once

#include <memory>
#include <onnxruntime_cxx_api.h>
#include <string>
#include <vector>

#include "inference/engine_abi.h"
#include "inference/engines/onnxruntime/cuda_driver.hpp"

namespace penstock::engine_module {

/// Why this ONNX Runtime cannot use CUDA here; empty where it can.
[[nodiscard]] std::string onnxruntime_cuda_absent();

/// What a session runs on.
struct execution {
  std::vector<std::string> providers;  ///< in order of preference: "tensorrt", "cuda", "cpu"
  std::string detail;                  ///< for operators: the providers, and those asked for that are not there
  std::unique_ptr<cuda_stream> stream; ///< of the session's runs on CUDA; null on the CPU
  std::string compiles;                ///< the folder that TensorRT is about to put an engine in; empty where it is not
};

/// Picks the providers for the device out of those asked for, and sets the options up for them. Throws `failure`:
/// `invalid` for an unknown provider, `unsupported` where none of them is there. `model` is the ONNX file.
[[nodiscard]] execution append_providers(const penstock_load_options& asked, Ort::SessionOptions& options);

} // namespace penstock::engine_module
