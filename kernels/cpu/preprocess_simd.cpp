#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/preprocess_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/convert.hpp"
#include "kernels/cpu/frame_job.hpp"
#include "kernels/cpu/horizontal.inl"
#include "kernels/cpu/vertical.inl"

HWY_BEFORE_NAMESPACE();
namespace penstock::kernels::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// A row's values as elements of the tensor; reads whole vectors, so `in` has slack.
void to_elements(core::element_type type, const float* in, std::size_t n, std::byte* out) {
  if (type == core::element_type::f32) {
    std::memcpy(out, in, n * sizeof(float));
    return;
  }
  if (type == core::element_type::f16) return to_f16({in, n}, {reinterpret_cast<std::uint16_t*>(out), n});
  const float low = type == core::element_type::u8 ? 0 : -128;
  const float high = type == core::element_type::u8 ? 255 : 127;
  HWY_ALIGN std::int32_t numbers[hn::MaxLanes(df)];
  for (std::size_t x = 0; x < n; x += hn::Lanes(df)) {
    const auto v = hn::Min(hn::Max(hn::LoadU(df, in + x), hn::Set(df, low)), hn::Set(df, high));
    hn::Store(hn::NearestInt(v), di, numbers);
    for (std::size_t i = 0; i < std::min(n - x, hn::Lanes(df)); ++i) out[x + i] = static_cast<std::byte>(numbers[i]);
  }
}

/// Writes row y of the tensor from rows of values.
void store_row(const frame_job& job, const scratch& memory, std::size_t y) {
  const auto width = static_cast<std::size_t>(job.tensor_width);
  const auto bytes = core::size_of(job.type);
  const auto row_bytes = width * bytes;
  if (job.layout == core::tensor_layout::nchw) {
    const auto plane_bytes = row_bytes * static_cast<std::size_t>(job.tensor_height);
    for (std::size_t c = 0; c < 3; ++c)
      to_elements(job.type, memory.values[c], width, job.slot + c * plane_bytes + y * row_bytes);
    return;
  }
  auto* out = job.slot + y * 3 * row_bytes;
  for (std::size_t c = 0; c < 3; ++c) {
    to_elements(job.type, memory.values[c], width, memory.packed);
    for (std::size_t x = 0; x < width; ++x) std::memcpy(out + (3 * x + c) * bytes, memory.packed + x * bytes, bytes);
  }
}

void run_job(const frame_job& job, const scratch& memory) {
  const auto width = static_cast<std::size_t>(job.tensor_width);
  const auto left = static_cast<std::size_t>(job.left);
  const auto right = static_cast<std::size_t>(job.right);
  const centred_color color{job.color};
  const auto convert = choose_converter(job);
  // values go straight into the slot where nothing has to be converted and vectors do not run over a row's end
  const bool direct = job.type == core::element_type::f32 && job.layout == core::tensor_layout::nchw && left == 0 &&
                      right == width && width % hn::Lanes(df) == 0;
  const auto area = width * static_cast<std::size_t>(job.tensor_height);

  for (std::size_t c = 0; c < 3; ++c) std::fill_n(memory.values[c], width, job.color.pad[c]);
  for (int y = 0; y < job.top; ++y) store_row(job, memory, static_cast<std::size_t>(y));
  for (int y = job.bottom; y < job.tensor_height; ++y) store_row(job, memory, static_cast<std::size_t>(y));

  for (int y = job.top; y < job.bottom; ++y) {
    for (std::size_t p = 0; p < job.plane_count; ++p)
      blend(job.planes[p], static_cast<std::size_t>(y - job.top), memory);
    std::array<float*, 3> out{};
    for (std::size_t c = 0; c < 3; ++c) {
      out[c] = direct ? reinterpret_cast<float*>(job.slot) + c * area + static_cast<std::size_t>(y) * width
                      : memory.values[c] + left;
    }
    convert(job, color, memory.blended, out);
    if (direct) continue;
    for (std::size_t c = 0; c < 3 && right < width; ++c)
      std::fill_n(memory.values[c] + right, width - right, job.color.pad[c]);
    store_row(job, memory, static_cast<std::size_t>(y));
  }
}

} // namespace

void run_here(const frame_job& job, const scratch& memory) { run_job(job, memory); }

} // namespace HWY_NAMESPACE
} // namespace penstock::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace penstock::kernels::cpu {

HWY_EXPORT(run_here);

void run(const frame_job& job, const scratch& memory) { HWY_DYNAMIC_DISPATCH(run_here)(job, memory); }

} // namespace penstock::kernels::cpu
#endif
