#include "inference/batch_ring_staging.hpp"

#include <cstdint>
#include <cstring>

#include "kernels/format_shape.hpp"

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

plane_size plane_of(const core::frame_view& frame, std::size_t p) noexcept {
  const auto shape = kernels::shape_of(frame.format);
  return {static_cast<std::size_t>(shape.row_bytes(frame.width_px, p)),
          static_cast<std::size_t>(shape.height(frame.height_px, p))};
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
  for (std::size_t p = 0; p < kernels::shape_of(frame.format).planes; ++p) bytes += plane_of(frame, p).bytes();
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
  auto at = offset;
  for (std::size_t p = 0; p < kernels::shape_of(frame.format).planes; ++p) {
    const auto plane = plane_of(frame, p);
    pack(pinned_.data() + at, frame.planes[p], frame.strides_bytes[p], plane);
    staged.planes[p] = reinterpret_cast<const std::uint8_t*>(staged_.data() + at);
    staged.strides_bytes[p] = static_cast<std::ptrdiff_t>(plane.stride());
    at += plane.bytes();
  }
  auto copied = device.copy(copies, staged_.data() + offset, pinned_.data() + offset, at - offset);
  if (!copied) return tl::unexpected{std::move(copied).error()};
  return staged;
}

} // namespace penstock::inference
