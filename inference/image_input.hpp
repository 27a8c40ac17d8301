#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "core/tensor.hpp"
#include "inference/engine.hpp"

namespace penstock::inference {

/// The input of a model that takes the pictures.
struct image_input {
  std::size_t index = 0; ///< in `model_info::inputs`
  core::tensor_layout layout = core::tensor_layout::nchw;
  core::element_type type = core::element_type::f32;
  int channels = 3;  ///< 3 or 1
  int width_px = 0;  ///< 0: the model takes any width
  int height_px = 0; ///< 0: the model takes any height

  /// Shape of a batch of n images. Width and height must be known.
  [[nodiscard]] std::array<std::int64_t, 4> shape(std::int64_t n) const noexcept {
    if (layout == core::tensor_layout::nchw) return {n, channels, height_px, width_px};
    return {n, height_px, width_px, channels};
  }
};

/// Reads which input takes the pictures, and in which layout. Error: `unsupported` when there is none, naming what was
/// found.
[[nodiscard]] core::expected<image_input> find_image_input(const model_info& model);

/// The image input with the size that the topology asks for (0 × 0: the model's own). Error: `bad_config`, naming both
/// sizes where they differ, or that the model leaves its size open and the topology gives none.
[[nodiscard]] core::expected<image_input> resolve_image_input(const model_info& model, int width_px, int height_px);

/// Runs the model once on blank images and returns its info with every output shape known (but for the batch) and
/// `max_batch` as it truly is: models whose declared batch is open but whose graph works only on one item get 1. It
/// also warms the session up, so call it once before the first frame. `input` must be resolved. Error: `engine`.
[[nodiscard]] core::expected<model_info> probe(const session& model, const image_input& input);

} // namespace penstock::inference
