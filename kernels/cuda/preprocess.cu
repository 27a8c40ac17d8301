#include "kernels/cuda/elements.cuh"
#include "kernels/cuda/launch.hpp"
#include "kernels/preprocess_params.hpp"

namespace penstock::kernels::gpu {

namespace {

// A block does a tile of one tensor: taps of its columns and rows once, in shared memory; then each warp does rows, and
// each lane two neighbouring pixels of them. Reads of a warp lie side by side, and its stores fill whole lines.
constexpr int tile_width = 64;
constexpr int tile_height = 32;
constexpr int warps = 8;
constexpr int threads = 32 * warps;

template <class T>
struct pair_of;
template <>
struct pair_of<float> {
  using type = float2;
};
template <>
struct pair_of<__half> {
  using type = __half2;
};
template <>
struct pair_of<std::uint8_t> {
  using type = uchar2;
};
template <>
struct pair_of<std::int8_t> {
  using type = char2;
};

/// The six values of two neighbouring pixels, as three pairs that lie side by side in memory.
template <class T, bool Interleaved>
__device__ __forceinline__ void store(const preprocess_params& job, T* slot, int x, int y, const color& p,
                                      const color& q) {
  const auto area = static_cast<std::size_t>(job.width) * static_cast<std::size_t>(job.height);
  const auto pixel = static_cast<std::size_t>(y) * static_cast<std::size_t>(job.width) + static_cast<std::size_t>(x);
  T* at[3];
  for (int c = 0; c < 3; ++c) at[c] = Interleaved ? slot + 3 * pixel + 2 * c : slot + c * area + pixel;
  const float first[3] = {p.values[0], Interleaved ? p.values[2] : p.values[1],
                          Interleaved ? q.values[1] : p.values[2]};
  const float second[3] = {Interleaved ? p.values[1] : q.values[0], Interleaved ? q.values[0] : q.values[1],
                           q.values[2]};
  if (job.paired != 0) {
    using pair = typename pair_of<T>::type;
    for (int c = 0; c < 3; ++c) {
      pair both;
      both.x = to_element<T>(first[c]);
      both.y = to_element<T>(second[c]);
      *reinterpret_cast<pair*>(at[c]) = both;
    }
    return;
  }
  const bool one = x + 1 == job.width;
  for (int c = 0; c < 3; ++c) {
    // of an interleaved pair the second value may still belong to the first pixel
    if (!one || !Interleaved || c < 2) at[c][0] = to_element<T>(first[c]);
    if (!one || (Interleaved && c == 0)) at[c][1] = to_element<T>(second[c]);
  }
}

__device__ __forceinline__ color padding(const sampled_frame& frame) {
  return {frame.colors.pad[0], frame.colors.pad[1], frame.colors.pad[2]};
}

template <class T, bool Interleaved, bool Area, sample_class Kind>
__device__ __forceinline__ void do_rows(const preprocess_params& job, const sampled_frame& frame, T* slot,
                                        const pixel_taps* columns, const pixel_taps* rows) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int x = static_cast<int>(blockIdx.x) * tile_width + 2 * lane;
  if (x >= job.width) return;
  const int y0 = static_cast<int>(blockIdx.y) * tile_height;
  const auto first = columns[2 * lane];
  const auto second = columns[2 * lane + 1];
  const bool first_inside = x >= frame.left && x < frame.right;
  const bool second_inside = x + 1 >= frame.left && x + 1 < frame.right;
  for (int r = static_cast<int>(threadIdx.x) / 32; r < tile_height; r += warps) {
    const int y = y0 + r;
    if (y >= job.height) return;
    auto p = padding(frame);
    auto q = p;
    if (y >= frame.top && y < frame.bottom) {
      const auto row = rows[r];
      if (Area) {
        if (first_inside) p = sample_pixel<Kind, Area>(frame, first, row);
        if (second_inside) q = sample_pixel<Kind, Area>(frame, second, row);
      } else {
        // no branches: taps of columns outside are those of the nearest column inside
        const auto s = sample_pixel<Kind, Area>(frame, first, row);
        const auto t = sample_pixel<Kind, Area>(frame, second, row);
        for (int c = 0; c < 3; ++c) {
          p.values[c] = first_inside ? s.values[c] : p.values[c];
          q.values[c] = second_inside ? t.values[c] : q.values[c];
        }
      }
    }
    store<T, Interleaved>(job, slot, x, y, p, q);
  }
}

/// Blocks that a multiprocessor is to have room for, and so what bounds registers: as many as spill next to none.
constexpr int resident_blocks([[maybe_unused]] bool area) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ <= 800
  if (area) return 2;
#endif
  return 3;
}

template <class T, bool Interleaved, bool Area>
__global__ void __launch_bounds__(threads, resident_blocks(Area))
    preprocess(const __grid_constant__ preprocess_params job) {
  __shared__ pixel_taps columns[tile_width];
  __shared__ pixel_taps rows[tile_height];
  const int item = job.items[blockIdx.z];
  const auto& frame = job.frames[item];
  auto* slot = reinterpret_cast<T*>(job.slots) + std::size_t{3} * static_cast<std::size_t>(job.width) *
                                                     static_cast<std::size_t>(job.height) *
                                                     static_cast<std::size_t>(item);
  const int x0 = static_cast<int>(blockIdx.x) * tile_width;
  const int y0 = static_cast<int>(blockIdx.y) * tile_height;
  const bool any = x0 < frame.right && x0 + tile_width > frame.left && y0 < frame.bottom &&
                   y0 + tile_height > frame.top && frame.left < frame.right && frame.top < frame.bottom;
  if (!any) {
    // nothing but border
    const auto border = padding(frame);
    const int x = x0 + 2 * (static_cast<int>(threadIdx.x) % 32);
    if (x >= job.width) return;
    for (int y = y0 + static_cast<int>(threadIdx.x) / 32; y < min(y0 + tile_height, job.height); y += warps)
      store<T, Interleaved>(job, slot, x, y, border, border);
    return;
  }
  constexpr int tiles[2] = {tile_width, tile_height};
  static_assert(2 * (tile_width + tile_height) <= threads);
  if (const int t = static_cast<int>(threadIdx.x); t < 2 * (tiles[0] + tiles[1])) {
    const bool chroma = t >= tiles[0] + tiles[1];
    const int i = chroma ? t - tiles[0] - tiles[1] : t;
    if (i < tiles[0]) {
      const int x = min(max(x0 + i, frame.left), frame.right - 1) - frame.left;
      (chroma ? columns[i].chroma : columns[i].luma) = span_of(frame.columns[chroma ? 1 : 0], x);
    } else {
      const int y = min(max(y0 + i - tiles[0], frame.top), frame.bottom - 1) - frame.top;
      auto& row = rows[i - tiles[0]];
      (chroma ? row.chroma : row.luma) = span_of(frame.rows[chroma ? 1 : 0], y);
    }
  }
  __syncthreads();
  with_kind(frame.kind,
            [&](auto tag) { do_rows<T, Interleaved, Area, decltype(tag)::value>(job, frame, slot, columns, rows); });
}

template <class T, bool Interleaved>
cudaError_t launch(const preprocess_params& job, cudaStream_t on) {
  const dim3 grid{static_cast<unsigned>((job.width + tile_width - 1) / tile_width),
                  static_cast<unsigned>((job.height + tile_height - 1) / tile_height),
                  static_cast<unsigned>(job.count)};
  if (job.how == sampler::means)
    preprocess<T, Interleaved, true><<<grid, threads, 0, on>>>(job);
  else
    preprocess<T, Interleaved, false><<<grid, threads, 0, on>>>(job);
  return cudaGetLastError();
}

template <class T>
cudaError_t launch_as(const preprocess_params& job, cudaStream_t on) {
  return job.layout == core::tensor_layout::nchw ? launch<T, false>(job, on) : launch<T, true>(job, on);
}

} // namespace

cudaError_t probe() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, preprocess<float, false, false>);
}

cudaError_t launch_preprocess(const preprocess_params& job, cudaStream_t on) {
  if (job.how == sampler::strip_pairs || job.how == sampler::strip_planes) return launch_strip(job, on);
  switch (job.type) {
  case core::element_type::f32: return launch_as<float>(job, on);
  case core::element_type::f16: return launch_as<__half>(job, on);
  case core::element_type::u8: return launch_as<std::uint8_t>(job, on);
  case core::element_type::i8: return launch_as<std::int8_t>(job, on);
  default: return cudaErrorInvalidValue;
  }
}

} // namespace penstock::kernels::gpu
