#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "inference/engine.hpp"
#include "inference/head.hpp"

/// What heads share: finding their outputs in a model, and checking them in a batch.
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

/// Error: `engine` where the batch does not have that item in an output like the slot.
[[nodiscard]] core::expected<void> check_item(const outputs& batch, const output_slot& slot, std::size_t item);

} // namespace penstock::inference
