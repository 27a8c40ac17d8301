#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convert_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/convert.hpp"
#include "kernels/cpu/half.hpp"

HWY_BEFORE_NAMESPACE();
namespace penstock::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void to_f16_here(const float* in, std::size_t n, std::uint16_t* out) {
  std::size_t i = 0;
// Highway's own emulation truncates
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SSSE3 && HWY_TARGET != HWY_SSE4
  constexpr hn::ScalableTag<float> df;
  constexpr hn::Rebind<hwy::float16_t, decltype(df)> dh;
  constexpr hn::Rebind<std::uint16_t, decltype(df)> dbits;
  for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df))
    hn::StoreU(hn::BitCast(dbits, hn::DemoteTo(dh, hn::LoadU(df, in + i))), dbits, out + i);
#endif
  for (; i < n; ++i) out[i] = cpu::to_half(in[i]);
}

void to_f32_here(const std::uint16_t* in, std::size_t n, float* out) {
  constexpr hn::ScalableTag<float> df;
  constexpr hn::Rebind<hwy::float16_t, decltype(df)> dh;
  constexpr hn::Rebind<std::uint16_t, decltype(df)> dbits;
  const auto lanes = hn::Lanes(df);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::PromoteTo(df, hn::BitCast(dh, hn::LoadU(dbits, in + i))), df, out + i);
  if (i == n) return;
  std::uint16_t bits[hn::MaxLanes(df)] = {};
  float rest[hn::MaxLanes(df)];
  std::copy(in + i, in + n, bits);
  hn::StoreU(hn::PromoteTo(df, hn::BitCast(dh, hn::LoadU(dbits, bits))), df, rest);
  std::copy_n(rest, n - i, out + i);
}

} // namespace HWY_NAMESPACE
} // namespace penstock::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace penstock::kernels {

HWY_EXPORT(to_f16_here);
HWY_EXPORT(to_f32_here);

void to_f16(std::span<const float> in, std::span<std::uint16_t> out) noexcept {
  HWY_DYNAMIC_DISPATCH(to_f16_here)(in.data(), std::min(in.size(), out.size()), out.data());
}

void to_f32(std::span<const std::uint16_t> in, std::span<float> out) noexcept {
  HWY_DYNAMIC_DISPATCH(to_f32_here)(in.data(), std::min(in.size(), out.size()), out.data());
}

} // namespace penstock::kernels
#endif
