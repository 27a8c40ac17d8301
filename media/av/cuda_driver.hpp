#pragma once

/// Inside this room only: the little of the CUDA driver that FFmpeg does not call itself.

#include "core/error.hpp"

struct CUctx_st;

namespace penstock::media {

/// The primary context of a GPU, retained for the rest of the process. Error `unsupported`: no driver, no such device.
///
/// FFmpeg could retain it by itself, but refuses one that is in use already with other flags than its own: that of the
/// CUDA runtime, which kernels and engines use.
[[nodiscard]] core::expected<CUctx_st*> primary_context(int cuda_device);

} // namespace penstock::media
