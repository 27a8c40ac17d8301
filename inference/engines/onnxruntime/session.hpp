#pragma once

#include <memory>
#include <mutex>
#include <onnxruntime_cxx_api.h>
#include <string>
#include <vector>

#include "inference/engine_abi.h"
#include "inference/engines/module.hpp"
#include "inference/engines/onnxruntime/providers.hpp"

/// What a run's outputs live in.
struct penstock_outputs {
  std::vector<Ort::Value> values;
  penstock::engine_module::output_list list;
};

/// A loaded model of ONNX Runtime. Everything throws `failure` or Ort::Exception.
struct penstock_session {
 public:
  /// `progress` may be empty in `options`.
  explicit penstock_session(const penstock_load_options& options);
  penstock_session(const penstock_session&) = delete;
  penstock_session& operator=(const penstock_session&) = delete;
  ~penstock_session();

  [[nodiscard]] const penstock_model* model() const noexcept { return description_.model(); }

  [[nodiscard]] std::unique_ptr<penstock_outputs> run(const penstock_tensor* inputs, void* stream) const;

 private:
  void load(const penstock_load_options& options);
  void describe(const penstock_load_options& options);
  [[nodiscard]] std::vector<Ort::Value> run_on_host(const std::vector<Ort::Value>& inputs) const;
  [[nodiscard]] std::vector<Ort::Value> run_on_device(const std::vector<Ort::Value>& inputs, void* stream) const;

  std::shared_ptr<Ort::Env> env_;
  penstock::engine_module::execution execution_;
  mutable Ort::Session ort_{nullptr}; // its Run is not const, but thread-safe
  Ort::MemoryInfo host_;
  Ort::MemoryInfo device_{nullptr};
  penstock::engine_module::model_description description_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  mutable std::mutex enqueue_;
};
