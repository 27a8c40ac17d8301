#pragma once

#include <cuda_fp16.h>

#include <cstdint>

namespace penstock::kernels::gpu {

template <class T>
__device__ __forceinline__ T to_element(float v) {
  if constexpr (sizeof(T) == 1) {
    constexpr float low = T(-1) < T(0) ? -128 : 0;
    return static_cast<T>(__float2int_rn(fminf(fmaxf(v, low), low + 255)));
  } else if constexpr (sizeof(T) == 2) {
    return __float2half_rn(v);
  } else {
    return v;
  }
}

} // namespace penstock::kernels::gpu
