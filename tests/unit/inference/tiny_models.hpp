#pragma once

#include <string>

#include "tests/unit/inference/tiny_onnx.hpp"

/// Models whose results can be worked out by hand.
namespace penstock::tests {

/// y = 2·images, f32[batch,3,4,6]; batch -1 leaves it open.
inline std::string doubling_model(std::int64_t batch) {
  return onnx::graph{}
      .input("images", onnx::type::f32, {batch, 3, 4, 6})
      .constant("two", {1}, {2.0F})
      .node("Mul", {"images", "two"}, {"y"})
      .output("y", onnx::type::f32, {batch, 3, 4, 6})
      .model();
}

/// Mean over each picture and channel of f32[n,4,6,3]: f32[n,1,1,3].
inline std::string nhwc_model() {
  return onnx::graph{}
      .input("pictures", onnx::type::f32, {-1, 4, 6, 3})
      .node("ReduceMean", {"pictures"}, {"means"}, {onnx::attribute("axes", std::vector<std::int64_t>{1, 2})})
      .output("means", onnx::type::f32, {-1, 1, 1, 3})
      .model();
}

/// Hands its sizes on: images f32[n,3,4,6] and sizes i64[n,2] to kept f32[n,3,4,6] and seen i64[n,2].
inline std::string sizes_model() {
  return onnx::graph{}
      .input("orig_target_sizes", onnx::type::i64, {-1, 2})
      .input("images", onnx::type::f32, {-1, 3, 4, 6})
      .node("Identity", {"images"}, {"kept"})
      .node("Identity", {"orig_target_sizes"}, {"seen"})
      .output("kept", onnx::type::f32, {-1, 3, 4, 6})
      .output("seen", onnx::type::i64, {-1, 2})
      .model();
}

/// y = images + images, f16[1,3,4,6].
inline std::string f16_model() {
  return onnx::graph{}
      .input("images", onnx::type::f16, {1, 3, 4, 6})
      .node("Add", {"images", "images"}, {"y"})
      .output("y", onnx::type::f16, {1, 3, 4, 6})
      .model();
}

/// Declares any batch, but its exporter wrote a batch of 1 into a reshape: f32[?,3,4,6] to f32[1,72·n].
inline std::string falsely_dynamic_model() {
  return onnx::graph{}
      .input("images", onnx::type::f32, {-1, 3, 4, 6})
      .constant("flat", std::vector<std::int64_t>{1, -1})
      .node("Reshape", {"images", "flat"}, {"y"})
      .output("y", onnx::type::f32, {-1, -1})
      .model();
}

/// Pictures of any size, f32[n,3,h,w], to f32[n,3,1,1].
inline std::string any_size_model() {
  return onnx::graph{}
      .input("images", onnx::type::f32, {-1, 3, -1, -1})
      .node("GlobalAveragePool", {"images"}, {"y"})
      .output("y", onnx::type::f32, {-1, -1, -1, -1})
      .model();
}

/// A 1×1 convolution that swaps channels and scales; its weights come through an Identity node when `shared`.
inline std::string convolution_model(bool shared) {
  onnx::graph g;
  g.input("images", onnx::type::f32, {1, 3, 4, 6}).constant("w", {2, 3, 1, 1}, {0, 0, 3, 1, 0, -1});
  if (shared) g.node("Identity", {"w"}, {"w_again"});
  return g
      .node("Conv", {"images", shared ? "w_again" : "w"}, {"y"},
            {onnx::attribute("kernel_shape", std::vector<std::int64_t>{1, 1})})
      .output("y", onnx::type::f32, {1, 2, 4, 6})
      .model();
}

} // namespace penstock::tests
