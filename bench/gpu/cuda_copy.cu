#include <cuda_runtime.h>
#include <stdexcept>

#include "bench/gpu/cuda_copy.hpp"

namespace penstock::bench {

namespace {

constexpr int threads = 256;
constexpr int vectors_per_thread = 4; // loads under way before the first store

__global__ void __launch_bounds__(threads)
    copy_vectors(uint4* __restrict__ to, const uint4* __restrict__ from, std::size_t count) {
  const auto first = static_cast<std::size_t>(blockIdx.x) * threads * vectors_per_thread + threadIdx.x;
  uint4 values[vectors_per_thread];
#pragma unroll
  for (int i = 0; i < vectors_per_thread; ++i) {
    const auto at = first + static_cast<std::size_t>(i) * threads;
    if (at < count) values[i] = __ldcs(from + at);
  }
#pragma unroll
  for (int i = 0; i < vectors_per_thread; ++i) {
    const auto at = first + static_cast<std::size_t>(i) * threads;
    if (at < count) __stcs(to + at, values[i]);
  }
}

void must(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error{cudaGetErrorString(status)};
}

} // namespace

cuda_facts read_cuda_facts() {
  int device = 0;
  int l2 = 0;
  int version = 0;
  cuda_facts facts;
  must(cudaGetDevice(&device));
  must(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device));
  must(cudaDeviceGetAttribute(&facts.multiprocessors, cudaDevAttrMultiProcessorCount, device));
  must(cudaRuntimeGetVersion(&version));
  facts.l2_bytes = static_cast<std::size_t>(l2);
  facts.runtime = std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  return facts;
}

void copy_by_kernel(void* native_stream, std::byte* to, const std::byte* from, std::size_t bytes) {
  const auto count = bytes / sizeof(uint4);
  constexpr std::size_t per_block = threads * vectors_per_thread;
  const auto blocks = static_cast<unsigned>((count + per_block - 1) / per_block);
  copy_vectors<<<blocks, threads, 0, static_cast<cudaStream_t>(native_stream)>>>(
      reinterpret_cast<uint4*>(to), reinterpret_cast<const uint4*>(from), count);
  must(cudaGetLastError());
}

} // namespace penstock::bench
