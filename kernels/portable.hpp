#pragma once

/// Before a function that runs on the CPU and in CUDA kernels alike: written once, so that tests without a GPU run the
/// very arithmetic of the kernels.
#ifdef __CUDACC__
#define PENSTOCK_PORTABLE __host__ __device__ __forceinline__
#else
#define PENSTOCK_PORTABLE inline
#endif
