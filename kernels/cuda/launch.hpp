#pragma once

#include <cuda_runtime_api.h>

namespace penstock::kernels {

struct decode_batch;
struct annotate_params;
struct jpeg_planes_params;
struct preprocess_params;

/// What the device calls, one function a kernel. The job has passed `check`. Enqueues on `on` and returns; the result
/// is that of the launches (cudaGetLastError). The calling thread has set the device.
namespace gpu {

/// cudaErrorNoKernelImageForDevice where this build has nothing for the current device.
[[nodiscard]] cudaError_t probe();

[[nodiscard]] cudaError_t launch_preprocess(const preprocess_params& job, cudaStream_t on);
[[nodiscard]] cudaError_t launch_strip(const preprocess_params& job, cudaStream_t on);
[[nodiscard]] cudaError_t launch_decode(const decode_batch& job, cudaStream_t on);
[[nodiscard]] cudaError_t launch_annotate(const annotate_params& job, cudaStream_t on);
[[nodiscard]] cudaError_t launch_jpeg_planes(const jpeg_planes_params& job, cudaStream_t on);

} // namespace gpu
} // namespace penstock::kernels
