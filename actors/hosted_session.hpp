#pragma once

#include "core/error.hpp"
#include "inference/engine.hpp"
#include "kernels/device.hpp"

namespace penstock::actors {

/// A session that runs on a device, as one in host memory: images go there and outputs come back with each run. For
/// tensors that come over a link; frames take the shorter way of `inference::batch_ring`.
[[nodiscard]] inference::session_ptr hosted_session(kernels::device_ptr device, inference::session_ptr session,
                                                    std::size_t image_input);

} // namespace penstock::actors
