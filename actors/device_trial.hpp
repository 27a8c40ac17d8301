#pragma once

#include "core/error.hpp"
#include "inference/engine.hpp"
#include "inference/image_input.hpp"
#include "kernels/device.hpp"

namespace penstock::actors {

/// `inference::probe` for a session whose images lie on a device. Errors: `engine`, `too_large` for lack of memory.
[[nodiscard]] core::expected<inference::model_info>
probe_on(kernels::device& device, const inference::session_ptr& session, const inference::image_input& input);

} // namespace penstock::actors
