#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "core/tensor.hpp"
#include "inference/engine.hpp"

namespace penstock::tests {

/// A tensor that owns its values.
template <class T>
struct owned_tensor {
  core::element_type type = core::element_type::f32;
  std::vector<std::int64_t> shape;
  std::vector<T> values;

  owned_tensor(std::vector<std::int64_t> extents, core::element_type element = core::element_type::f32)
      : type{element}, shape{std::move(extents)}, values(core::const_tensor_view{nullptr, type, shape}.elements()) {}

  [[nodiscard]] core::const_tensor_view view() const { return {values.data(), type, shape}; }
};

using f32_tensor = owned_tensor<float>;

inline f32_tensor random_tensor(std::vector<std::int64_t> shape, float low, float high, unsigned seed) {
  f32_tensor t{std::move(shape)};
  std::mt19937 random{seed};
  std::uniform_real_distribution<float> value{low, high};
  for (auto& v : t.values) v = value(random);
  return t;
}

/// Outputs of a run, made by hand; the tensors must live as long.
template <class... Tensors>
inference::outputs outputs_of(const Tensors&... tensors) {
  return {nullptr, {tensors.view()...}};
}

/// Values of an output, as f32.
inline std::vector<float> values_of(const core::const_tensor_view& t) {
  const auto* data = static_cast<const float*>(t.data);
  return {data, data + t.elements()};
}

} // namespace penstock::tests
