#pragma once

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/tensor.hpp"
#include "kernels/preprocess.hpp"

namespace penstock::kernels {

/// What `preprocess_plan::run` does, pixel by pixel in double precision and for no speed: what every implementation
/// must agree with.
[[nodiscard]] core::expected<void> reference_preprocess(const core::frame_view& frame, const preprocess_spec& spec,
                                                        core::tensor_view slot);

} // namespace penstock::kernels
