#pragma once

#include <cstdint>

namespace penstock::core {

/// Where bytes lie. Host memory is readable by the CPU; device memory only by kernels and copies of its device.
enum class memory_kind : std::uint8_t { host, device };

} // namespace penstock::core
