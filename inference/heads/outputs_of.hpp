#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/detection.hpp"
#include "core/error.hpp"
#include "inference/engine.hpp"
#include "inference/head.hpp"
#include "kernels/geometry.hpp"

/// What heads share: finding their outputs in a model, reading them in a batch, and the last steps to objects.
namespace penstock::inference {

/// An output that a head reads, and the shape it was made for; the first extent, the batch, is not compared.
struct output_slot {
  std::size_t index = 0;
  core::element_type type = core::element_type::f32;
  std::vector<std::int64_t> shape;

  [[nodiscard]] std::size_t extent(std::size_t d) const { return static_cast<std::size_t>(shape[d]); }
};

/// The first output of that type and rank whose extents after the batch are known and, where `last` is given, whose
/// last one is that.
[[nodiscard]] std::optional<output_slot> find_output(const model_info& model, core::element_type type, std::size_t rank,
                                                     std::optional<std::int64_t> last = std::nullopt);

/// The output of that name, if it has the type and the rank and known extents.
[[nodiscard]] std::optional<output_slot> find_output(const model_info& model, std::string_view name,
                                                     core::element_type type, std::size_t rank);

/// `bad_config`: what the head expected, and what the model has.
[[nodiscard]] tl::unexpected<core::error> wrong_outputs(const model_info& model, std::string_view head,
                                                        std::string_view expected);

/// Where one item's part of an output starts. Error: `engine` where batch and slot do not fit.
[[nodiscard]] core::expected<const void*> item_of(const outputs& batch, const output_slot& slot, std::size_t item);

/// The same for f32.
[[nodiscard]] inline core::expected<const float*> f32_item_of(const outputs& batch, const output_slot& slot,
                                                              std::size_t item) {
  return item_of(batch, slot, item).map([](const void* data) { return static_cast<const float*>(data); });
}

/// Objects with boxes in tensor pixels become the frame's: suppressed, in source pixels, inside the frame; those with
/// nothing inside are gone.
void finish_with_nms(std::vector<core::detection>& objects, const kernels::geometry& geometry,
                     const head_options& options);

/// The same for models that need no suppression: best first (ties keep their order), at most `max_objects`.
void finish_without_nms(std::vector<core::detection>& objects, const kernels::geometry& geometry,
                        const head_options& options);

} // namespace penstock::inference
