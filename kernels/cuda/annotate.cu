#include "kernels/annotate_pixels.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/jpeg_pixels.hpp"

namespace penstock::kernels::gpu {

namespace {

constexpr int block_width = 32;
constexpr int block_height = 8;

__constant__ font glyphs = make_font();

/// A thread for each U and V with the four Y around them. The last mark that covers it is what remains.
__global__ void __launch_bounds__(block_width* block_height) annotate(const __grid_constant__ annotate_params job) {
  const int x = static_cast<int>(blockIdx.x * block_width + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * block_height + threadIdx.y);
  if (2 * x >= job.width || 2 * y >= job.height) return;
  for (int i = job.count - 1; i >= 0; --i)
    if (draw_block(job, job.marks[i], glyphs, x, y)) return;
}

template <sample_class Kind>
__global__ void __launch_bounds__(block_width* block_height)
    jpeg_planes(const __grid_constant__ jpeg_planes_params job) {
  const int x = static_cast<int>(blockIdx.x * block_width + threadIdx.x);
  const int y = static_cast<int>(blockIdx.y * block_height + threadIdx.y);
  if (2 * x >= job.width || 2 * y >= job.height) return;
  jpeg_block<Kind>(job, x, y);
}

/// Blocks for all U and V of a picture.
dim3 grid_of(int width, int height) {
  return {static_cast<unsigned>(((width + 1) / 2 + block_width - 1) / block_width),
          static_cast<unsigned>(((height + 1) / 2 + block_height - 1) / block_height)};
}

constexpr dim3 threads{block_width, block_height};

} // namespace

cudaError_t launch_annotate(const annotate_params& job, cudaStream_t on) {
  annotate<<<grid_of(job.width, job.height), threads, 0, on>>>(job);
  return cudaGetLastError();
}

cudaError_t launch_jpeg_planes(const jpeg_planes_params& job, cudaStream_t on) {
  with_kind(job.source.luma.kind, [&](auto tag) {
    jpeg_planes<decltype(tag)::value><<<grid_of(job.width, job.height), threads, 0, on>>>(job);
  });
  return cudaGetLastError();
}

} // namespace penstock::kernels::gpu
