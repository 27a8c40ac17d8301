#include <array>

#include "transport/wire/fields.hpp"

namespace penstock::transport {

namespace {

/// Bytes of a row, and rows, of one plane; both 0 where the format has no such plane.
struct plane_extent {
  std::size_t row_bytes = 0;
  std::size_t rows = 0;
};

plane_extent extent_of(const core::frame_view& v, std::size_t plane) noexcept {
  const auto width = static_cast<std::size_t>(v.width_px);
  const auto height = static_cast<std::size_t>(v.height_px);
  const auto half_width = (width + 1) / 2;
  const auto half_height = (height + 1) / 2;
  switch (v.format) {
  case core::pixel_format::gray8: return plane == 0 ? plane_extent{width, height} : plane_extent{};
  case core::pixel_format::i420:
    return plane == 0 ? plane_extent{width, height} : plane_extent{half_width, half_height};
  case core::pixel_format::i422: return plane == 0 ? plane_extent{width, height} : plane_extent{half_width, height};
  case core::pixel_format::i444: return {width, height};
  case core::pixel_format::nv12:
    if (plane == 2) return {};
    return plane == 0 ? plane_extent{width, height} : plane_extent{2 * half_width, half_height};
  case core::pixel_format::p010:
    if (plane == 2) return {};
    return plane == 0 ? plane_extent{2 * width, height} : plane_extent{4 * half_width, half_height};
  case core::pixel_format::rgb24:
  case core::pixel_format::bgr24: return plane == 0 ? plane_extent{3 * width, height} : plane_extent{};
  }
  return {};
}

/// From a plane's first byte to its last; the last row ends with its pixels.
std::size_t plane_bytes(const plane_extent& e, std::size_t stride) noexcept {
  return e.rows == 0 ? 0 : stride * (e.rows - 1) + e.row_bytes;
}

} // namespace

void fields(writer& w, const core::packet& v) {
  const payload bytes{v.owner, v.bytes, core::packet_padding_bytes};
  w(v.pts, v.dts, v.duration, v.access, v.disposable, v.damaged, v.shown, bytes);
}

void fields(reader& r, core::packet& v) {
  shared_bytes read;
  const padded bytes{read, core::packet_padding_bytes};
  r(v.pts, v.dts, v.duration, v.access, v.disposable, v.damaged, v.shown, bytes);
  v.bytes = read.bytes;
  v.owner = std::move(read.owner);
}

void fields(writer& w, const core::frame& f) {
  const auto& v = f.view;
  std::array<std::int64_t, 3> strides{};
  const auto plane = [&](std::size_t i) {
    strides[i] = v.strides_bytes[i];
    const auto bytes = plane_bytes(extent_of(v, i), static_cast<std::size_t>(strides[i]));
    return payload{f.owner, {reinterpret_cast<const std::byte*>(v.planes[i]), bytes}};
  };
  const auto first = plane(0);
  const auto second = plane(1);
  const auto third = plane(2);
  w(v.width_px, v.height_px, v.format, v.matrix, v.range, strides, first, second, third);
}

void fields(reader& r, core::frame& f) {
  auto& v = f.view;
  std::array<std::int64_t, 3> strides{};
  auto planes = std::make_shared<std::array<shared_bytes, 3>>();
  auto& [first, second, third] = *planes;
  r(v.width_px, v.height_px, v.format, v.matrix, v.range, strides, first, second, third);
  if (r.error()) return;
  constexpr int longest_side = 65'535;
  if (v.width_px < 1 || v.height_px < 1 || v.width_px > longest_side || v.height_px > longest_side)
    return r.fail(core::errc::corrupt, fmt::format("a frame of {}x{}", v.width_px, v.height_px));
  for (std::size_t i = 0; i < 3; ++i) {
    const auto extent = extent_of(v, i);
    const auto& bytes = (*planes)[i].bytes;
    const auto stride = static_cast<std::size_t>(strides[i]);
    const bool sane = strides[i] >= 0 && stride <= r.limits().payload_bytes && stride >= extent.row_bytes;
    if (!sane || bytes.size() != plane_bytes(extent, stride))
      return r.fail(core::errc::corrupt,
                    fmt::format("plane {} of {} bytes with a stride of {}", i, bytes.size(), strides[i]));
    v.strides_bytes[i] = strides[i];
    v.planes[i] = extent.rows == 0 ? nullptr : reinterpret_cast<const std::uint8_t*>(bytes.data());
  }
  f.owner = std::move(planes);
}

void fields(writer& w, const jpeg_item& v) {
  const payload bytes{v.owner, v.jpeg};
  w(v.id, v.live, v.times, bytes);
}

void fields(reader& r, jpeg_item& v) {
  shared_bytes part;
  r(v.id, v.live, v.times, part);
  v.jpeg = part.bytes;
  v.owner = std::move(part.owner);
}

void fields(writer& w, const tensor_item& v) {
  const payload bytes{v.owner, v.bytes};
  w(v.id, v.live, v.times, v.geometry, v.type, v.shape, bytes);
}

void fields(reader& r, tensor_item& v) {
  shared_bytes part;
  r(v.id, v.live, v.times, v.geometry, v.type, v.shape, part);
  if (r.error()) return;
  std::size_t bytes = core::size_of(v.type);
  for (const auto extent : v.shape) {
    if (extent < 1 || static_cast<std::size_t>(extent) > r.limits().payload_bytes / bytes)
      return r.fail(core::errc::corrupt, fmt::format("a tensor with an extent of {}", extent));
    bytes *= static_cast<std::size_t>(extent);
  }
  if (bytes != part.bytes.size())
    return r.fail(core::errc::corrupt, fmt::format("a tensor of {} bytes in {}", bytes, part.bytes.size()));
  v.bytes = part.bytes;
  v.owner = std::move(part.owner);
}

} // namespace penstock::transport
