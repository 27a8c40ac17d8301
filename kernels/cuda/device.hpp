#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <string>

#include "kernels/device.hpp"

namespace penstock::kernels::gpu {

/// What CUDA says about a call, as an error of the device; nothing where it went well.
[[nodiscard]] core::expected<void> checked(cudaError_t status, const std::string& device, const char* call);

/// The device of that CUDA ordinal; `info` as `cuda()` found it. Error: `engine` where it cannot be opened,
/// `unsupported` where this build has no kernels for it.
[[nodiscard]] core::expected<device_ptr> make_device(int ordinal, device_info info);

} // namespace penstock::kernels::gpu
