#include "kernels/cuda/elements.cuh"
#include "kernels/cuda/launch.hpp"
#include "kernels/preprocess_params.hpp"
#include "kernels/sampling_strip.hpp"

namespace penstock::kernels::gpu {

namespace {

constexpr int most_threads = 256;

/// Four neighbouring elements, stored at once.
template <class T>
struct alignas(4 * sizeof(T)) four {
  T elements[4];
};

template <class T>
__device__ __forceinline__ four<T> to_four(float a, float b, float c, float d) {
  if constexpr (sizeof(T) == 2) {
    // one instruction for two
    union {
      __half2 pairs[2];
      four<T> all;
    } made{{__floats2half2_rn(a, b), __floats2half2_rn(c, d)}};
    return made.all;
  } else {
    return {to_element<T>(a), to_element<T>(b), to_element<T>(c), to_element<T>(d)};
  }
}

/// `at`: bytes from the slot to the first colour of the first pixel; `plane`: from a colour to the next in planes.
template <class T, bool Interleaved>
__device__ __forceinline__ void store(std::byte* slot, unsigned at, unsigned plane,
                                      const float (&v)[3][strip::pixels]) {
  four<T> made[3];
  if constexpr (Interleaved) {
    made[0] = to_four<T>(v[0][0], v[1][0], v[2][0], v[0][1]);
    made[1] = to_four<T>(v[1][1], v[2][1], v[0][2], v[1][2]);
    made[2] = to_four<T>(v[2][2], v[0][3], v[1][3], v[2][3]);
  } else {
    for (int k = 0; k < 3; ++k) made[k] = to_four<T>(v[k][0], v[k][1], v[k][2], v[k][3]);
  }
  const unsigned step = Interleaved ? sizeof(four<T>) : plane;
  for (unsigned k = 0; k < 3; ++k) *reinterpret_cast<four<T>*>(slot + (at + k * step)) = made[k];
}

/// A block does some rows of one tensor, and of them all columns or as many as it has threads for. Every thread does
/// four columns, whose taps it keeps; those of the rows are in shared memory.
template <class T, bool Interleaved, sample_class Kind>
__global__ void __launch_bounds__(most_threads, 4)
    sample_strip(const __grid_constant__ preprocess_params job, const int rows_a_block) {
  __shared__ strip::row_taps rows[strip::most_rows];
  const int item = job.items[blockIdx.z];
  const auto& frame = job.frames[item];
  const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * strip::pixels;
  const int y0 = static_cast<int>(blockIdx.y) * rows_a_block;
  const int y1 = min(y0 + rows_a_block, job.height);
  const auto covered = strip::covered_rows(frame, {y0, y1});

  const auto plane = static_cast<unsigned>(sizeof(T)) * static_cast<unsigned>(job.width * job.height);
  const auto pixel_bytes = static_cast<unsigned>(sizeof(T)) * (Interleaved ? 3 : 1);
  auto* slot = job.slots + std::size_t{3} * plane * static_cast<unsigned>(item);
  const auto store_row = [&](int y, const float(&v)[3][strip::pixels]) {
    store<T, Interleaved>(slot, static_cast<unsigned>(y * job.width + x) * pixel_bytes, plane, v);
  };

  if (covered.begin < covered.end) { // all threads of the block agree
    if (const int r = static_cast<int>(threadIdx.x); r < y1 - y0) rows[r] = strip::rows_of(frame, y0 + r);
    const auto columns = strip::columns_of<Kind>(frame, x);
    constexpr auto all = (1U << strip::pixels) - 1;
    const strip::shared_traits traits{__any_sync(~0U, strip::has_tails(columns)) != 0,
                                      __all_sync(~0U, x >= job.width || columns.covered == all) != 0};
    __syncthreads();
    if (x >= job.width) return;
#pragma unroll 1
    for (int y = covered.begin; y < covered.end; ++y) {
      float v[3][strip::pixels];
      strip::sample_row<Kind>(frame, job.colors, columns, rows[y - y0], traits, v);
      store_row(y, v);
    }
  }
  if (x >= job.width) return;
  float border[3][strip::pixels];
  for (int k = 0; k < 3; ++k)
    for (int i = 0; i < strip::pixels; ++i) border[k][i] = job.colors.pad[k];
#pragma unroll 1
  for (int y = y0; y < y1; ++y)
    if (y < covered.begin || y >= covered.end) store_row(y, border);
}

template <class T, bool Interleaved, sample_class Kind>
cudaError_t launch(const preprocess_params& job, cudaStream_t on) {
  const auto up = [](int n, int unit) { return static_cast<unsigned>((n + unit - 1) / unit); };
  const auto fours = up(job.width, strip::pixels);
  const auto across = up(static_cast<int>(fours), most_threads);
  const auto threads = 32 * up(static_cast<int>(up(static_cast<int>(fours), static_cast<int>(across))), 32);
  // fewer rows where there would be too few blocks for all multiprocessors
  int rows = strip::most_rows;
  while (rows > 4 && across * up(job.height, rows) * static_cast<unsigned>(job.count) < 512) rows /= 2;
  sample_strip<T, Interleaved, Kind>
      <<<dim3{across, up(job.height, rows), static_cast<unsigned>(job.count)}, threads, 0, on>>>(job, rows);
  return cudaGetLastError();
}

template <class T, bool Interleaved>
cudaError_t launch_kind(const preprocess_params& job, cudaStream_t on) {
  return job.how == sampler::strip_pairs ? launch<T, Interleaved, sample_class::pairs>(job, on)
                                         : launch<T, Interleaved, sample_class::planar>(job, on);
}

template <class T>
cudaError_t launch_as(const preprocess_params& job, cudaStream_t on) {
  return job.layout == core::tensor_layout::nchw ? launch_kind<T, false>(job, on) : launch_kind<T, true>(job, on);
}

} // namespace

cudaError_t launch_strip(const preprocess_params& job, cudaStream_t on) {
  switch (job.type) {
  case core::element_type::f32: return launch_as<float>(job, on);
  case core::element_type::f16: return launch_as<__half>(job, on);
  case core::element_type::u8: return launch_as<std::uint8_t>(job, on);
  case core::element_type::i8: return launch_as<std::int8_t>(job, on);
  default: return cudaErrorInvalidValue;
  }
}

} // namespace penstock::kernels::gpu
