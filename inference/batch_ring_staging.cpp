#include "inference/batch_ring_staging.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace penstock::inference {
namespace {

constexpr std::size_t row_alignment = 256;
constexpr std::size_t page_bytes = 4096; ///< copies of pinned memory go page by page

constexpr std::size_t round_up(std::size_t bytes, std::size_t to) noexcept { return (bytes + to - 1) / to * to; }

struct plane_size {
  std::size_t row_bytes = 0;
  std::size_t rows = 0;

  [[nodiscard]] std::size_t stride() const noexcept { return round_up(row_bytes, row_alignment); }
  [[nodiscard]] std::size_t bytes() const noexcept { return stride() * rows; }
};

/// Unused planes have no rows.
std::array<plane_size, 3> planes_of(const core::frame_view& frame) noexcept {
  using core::pixel_format;
  const auto width = static_cast<std::size_t>(frame.width_px);
  const auto height = static_cast<std::size_t>(frame.height_px);
  const auto half_width = (width + 1) / 2;
  const auto half_height = (height + 1) / 2;
  switch (frame.format) {
  case pixel_format::gray8: return {plane_size{width, height}};
  case pixel_format::rgb24:
  case pixel_format::bgr24: return {plane_size{3 * width, height}};
  case pixel_format::nv12: return {plane_size{width, height}, {2 * half_width, half_height}};
  case pixel_format::p010: return {plane_size{2 * width, height}, {4 * half_width, half_height}};
  case pixel_format::i420: return {plane_size{width, height}, {half_width, half_height}, {half_width, half_height}};
  case pixel_format::i422: return {plane_size{width, height}, {half_width, height}, {half_width, height}};
  case pixel_format::i444: return {plane_size{width, height}, {width, height}, {width, height}};
  }
  return {};
}

void pack(std::byte* to, const std::uint8_t* from, std::ptrdiff_t from_stride, const plane_size& plane) noexcept {
  if (from_stride == static_cast<std::ptrdiff_t>(plane.stride())) {
    std::memcpy(to, from, plane.stride() * (plane.rows - 1) + plane.row_bytes); // the last row may end its memory
    return;
  }
  for (std::size_t y = 0; y < plane.rows; ++y) {
    std::memcpy(to + y * plane.stride(), from + static_cast<std::ptrdiff_t>(y) * from_stride, plane.row_bytes);
  }
}

} // namespace

std::size_t frame_staging::bytes_for(const core::frame_view& frame) noexcept {
  std::size_t bytes = 0;
  for (const auto& plane : planes_of(frame)) bytes += plane.bytes();
  return round_up(bytes, page_bytes);
}

core::expected<void> frame_staging::reserve(ring_memory& memory, std::size_t bytes) {
  if (bytes <= size_bytes()) return {};
  auto grown = memory.replace(pinned_, bytes, core::memory_kind::host);
  if (grown) grown = memory.replace(staged_, bytes, core::memory_kind::device);
  if (!grown) {
    static_cast<void>(memory.replace(pinned_, 0, core::memory_kind::host));
    static_cast<void>(memory.replace(staged_, 0, core::memory_kind::device));
  }
  return grown;
}

core::expected<core::frame_view> frame_staging::upload(kernels::device& device, kernels::stream& copies,
                                                       const core::frame_view& frame, std::size_t offset) {
  auto staged = frame;
  staged.memory = device.info().memory;
  const auto planes = planes_of(frame);
  auto at = offset;
  for (std::size_t p = 0; p < planes.size() && planes[p].rows > 0; ++p) {
    pack(pinned_.data() + at, frame.planes[p], frame.strides_bytes[p], planes[p]);
    staged.planes[p] = reinterpret_cast<const std::uint8_t*>(staged_.data() + at);
    staged.strides_bytes[p] = static_cast<std::ptrdiff_t>(planes[p].stride());
    at += planes[p].bytes();
  }
  auto copied = device.copy(copies, staged_.data() + offset, pinned_.data() + offset, at - offset);
  if (!copied) return tl::unexpected{std::move(copied).error()};
  return staged;
}

} // namespace penstock::inference
