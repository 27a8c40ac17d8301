#pragma once

#include <cstdint>

#include "kernels/decode_sort.hpp"

/// A block and a warp of CUDA threads, as the algorithms in kernels/decode_*.hpp want them: see decode_sort.hpp and
/// decode_scan.hpp.
namespace penstock::kernels::gpu {

inline constexpr unsigned all_lanes = 0xffffffffU;

/// One T of this thread's own.
template <class T>
struct own {
  T value;
  __device__ T& operator[](unsigned) { return value; }
};

template <unsigned Lanes>
struct cuda_block {
  static constexpr unsigned lanes = Lanes;

  template <class F>
  __device__ __forceinline__ void each(const F& f) {
    f(threadIdx.x);
    __syncthreads();
  }

  template <class F>
  __device__ __forceinline__ void ballots(const F& f, std::uint32_t* words) {
    const unsigned word = __ballot_sync(all_lanes, f(threadIdx.x));
    if (threadIdx.x % 32 == 0) words[threadIdx.x / 32] = word;
    __syncthreads();
  }

  __device__ __forceinline__ std::uint32_t add(std::uint32_t& n, std::uint32_t x) { return atomicAdd(&n, x); }

  __device__ __forceinline__ std::uint32_t append(std::uint32_t& n) {
    const unsigned here = __activemask();
    const unsigned before = here & ((1U << (threadIdx.x % 32)) - 1);
    const int leader = __ffs(static_cast<int>(here)) - 1;
    std::uint32_t first = 0;
    if (before == 0) first = atomicAdd(&n, static_cast<std::uint32_t>(__popc(here)));
    return __shfl_sync(here, first, leader) + static_cast<std::uint32_t>(__popc(before));
  }

  __device__ __forceinline__ void lower(std::uint64_t& m, std::uint64_t x) {
    for (int apart = 16; apart > 0; apart /= 2) {
      const std::uint64_t other = __shfl_xor_sync(all_lanes, static_cast<unsigned long long>(x), apart);
      if (other < x) x = other;
    }
    if (threadIdx.x % 32 == 0) atomicMin(reinterpret_cast<unsigned long long*>(&m), static_cast<unsigned long long>(x));
  }

  __device__ __forceinline__ void raise(std::uint64_t& m, std::uint64_t x) {
    for (int apart = 16; apart > 0; apart /= 2) {
      const std::uint64_t other = __shfl_xor_sync(all_lanes, static_cast<unsigned long long>(x), apart);
      if (other > x) x = other;
    }
    if (threadIdx.x % 32 == 0) atomicMax(reinterpret_cast<unsigned long long*>(&m), static_cast<unsigned long long>(x));
  }
};

struct cuda_warp {
  static constexpr unsigned lanes = 32;

  template <class T>
  using local = own<T>;

  template <class F>
  __device__ __forceinline__ void each(const F& f) {
    f(threadIdx.x % 32);
    __syncwarp();
  }

  template <class F>
  __device__ __forceinline__ unsigned ballot(const F& f) {
    return __ballot_sync(all_lanes, f(threadIdx.x % 32));
  }

  __device__ __forceinline__ std::uint32_t reserve(std::uint32_t& n, std::uint32_t x) {
    std::uint32_t first = 0;
    if (threadIdx.x % 32 == 0) first = atomicAdd(&n, x);
    return __shfl_sync(all_lanes, first, 0);
  }
};

} // namespace penstock::kernels::gpu
