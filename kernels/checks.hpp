#pragma once

#include "kernels/preprocess.hpp"

namespace penstock::kernels {

/// invalid_argument where a picture has no pixels, a side above 65535, or planes that do not fit.
[[nodiscard]] core::expected<void> check_picture(const core::frame_view& frame);

/// invalid_argument where a plane of the frame is missing or its stride shorter than its rows, or its
/// samples are not aligned.
[[nodiscard]] core::expected<void> check_planes(const core::frame_view& frame);

/// invalid_argument where the slot is not one image of the spec.
[[nodiscard]] core::expected<void> check_slot(const preprocess_spec& spec, core::tensor_view slot);

} // namespace penstock::kernels
