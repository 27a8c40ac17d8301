#pragma once

#include <string>

#include "inference/engine.hpp"

/// The engines behind the table in engine.cpp: each is one file of this folder, which defines its function.
namespace penstock::inference {

/// ONNX Runtime, the default. Without the library at build time onnxruntime_absent.cpp takes its place.
[[nodiscard]] const engine& onnxruntime_engine();

/// OpenCV's own DNN module: everywhere, but it knows fewer models, and is slower.
[[nodiscard]] const engine& opencv_engine();

/// Stands in for an engine that this build does not have.
class absent_engine final : public engine {
 public:
  absent_engine(std::string name, std::string reason) : name_{std::move(name)}, reason_{std::move(reason)} {}

  [[nodiscard]] engine_info info() const override { return {name_, "", {}, reason_}; }

  [[nodiscard]] core::expected<session_ptr> load(const std::filesystem::path& /*model*/,
                                                 const load_options& /*options*/) const override {
    return core::fail(core::errc::unsupported, reason_);
  }

 private:
  std::string name_;
  std::string reason_;
};

} // namespace penstock::inference
