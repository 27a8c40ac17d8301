#pragma once

#include <cstddef>
#include <string>

namespace penstock::bench {

/// What `kernels::device_info` does not say.
struct cuda_facts {
  std::size_t l2_bytes = 0;
  int multiprocessors = 0;
  std::string runtime; ///< version of the CUDA runtime, "13.0"
};

/// Of the current CUDA device. Throws where there is none.
[[nodiscard]] cuda_facts read_cuda_facts();

/// Enqueues a copy by a kernel of wide loads and stores, beside which the driver's own copy is measured. `bytes` is a
/// multiple of 16, both ends are aligned to 16. Throws where it cannot be launched.
void copy_by_kernel(void* native_stream, std::byte* to, const std::byte* from, std::size_t bytes);

} // namespace penstock::bench
