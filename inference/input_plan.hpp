#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/error.hpp"
#include "core/tensor.hpp"
#include "inference/engine.hpp"
#include "inference/image_input.hpp"

/// What is the same around the run of every engine.
namespace penstock::inference {

/// Which input takes what.
struct input_plan {
  image_input images;
  std::optional<std::size_t> sizes; ///< the input `i64[n,2]` that takes the images' width and height
};

/// Error: `unsupported` where a model has no image input, or other inputs that nobody could fill.
[[nodiscard]] core::expected<input_plan> plan_inputs(const model_info& model);

/// `model_info::max_batch` as declared: the image input's first extent.
[[nodiscard]] int declared_max_batch(const tensor_info& images) noexcept;

/// Error: `invalid_argument` where a batch does not fit the model's image input.
[[nodiscard]] core::expected<void> check_images(const model_info& model, const image_input& input,
                                                const core::const_tensor_view& images);

} // namespace penstock::inference
