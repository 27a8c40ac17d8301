#pragma once

#include <span>

#include "kernels/decode_objects.hpp"

namespace penstock::kernels {

/// invalid_argument where the outputs are not what the spec reads of batches of `items`.
[[nodiscard]] core::expected<void> check_outputs(const object_spec& spec,
                                                 std::span<const core::const_tensor_view> outputs, std::size_t items);
[[nodiscard]] core::expected<void> check_outputs(const class_spec& spec,
                                                 std::span<const core::const_tensor_view> outputs, std::size_t items);

} // namespace penstock::kernels
