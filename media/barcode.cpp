#include "media/barcode.hpp"

#include <algorithm>

#include "media/frames.hpp"

namespace penstock::media {

namespace {

constexpr int cells = 8; ///< in a row and in a column
constexpr std::uint8_t black = 16;
constexpr std::uint8_t white = 235;

struct cell_size {
  int width;
  int height;
};

/// Large enough for the coarsest quantizer: 8 × 6 in the smallest picture, a 32nd of the width in large ones.
cell_size cell_of(int width_px, int height_px) {
  return {std::max(8, width_px / 32 & ~1), std::max(6, height_px / 24 & ~1)};
}

/// CRC-16/CCITT-FALSE over the 48 bits of stream and frame number, most significant first.
std::uint16_t checksum(std::uint64_t bits) {
  std::uint32_t crc = 0xffff;
  for (int i = 47; i >= 0; --i) {
    const auto feed = (crc >> 15 ^ static_cast<std::uint32_t>(bits >> i)) & 1U;
    crc = (crc << 1 & 0xffffU) ^ (feed ? 0x1021U : 0U);
  }
  return static_cast<std::uint16_t>(crc);
}

/// Mean brightness of the middle of a cell.
int brightness(const core::frame_view& view, int left, int top, cell_size cell) {
  const bool packed = view.format == core::pixel_format::rgb24 || view.format == core::pixel_format::bgr24;
  const int step = packed ? 3 : 1;
  int sum = 0, count = 0;
  for (int y = top + cell.height / 4; y < top + cell.height - cell.height / 4; ++y) {
    const auto* row = view.planes[0] + y * view.strides_bytes[0];
    for (int x = left + cell.width / 4; x < left + cell.width - cell.width / 4; ++x, ++count)
      sum += row[x * step + step / 2]; // the luma, or the green of RGB and BGR
  }
  return sum / std::max(1, count);
}

} // namespace

void draw_barcode(const core::frame_view& view, const barcode& code) {
  const auto payload = std::uint64_t{code.stream} << 32 | code.frame;
  const auto bits = payload << 16 | checksum(payload);
  const auto cell = cell_of(view.width_px, view.height_px);
  for (int i = 0; i < cells * cells; ++i) {
    const auto value = bits >> (63 - i) & 1U ? white : black;
    for (int y = i / cells * cell.height; y < (i / cells + 1) * cell.height; ++y)
      std::fill_n(writable(view, 0) + y * view.strides_bytes[0] + i % cells * cell.width, cell.width, value);
  }
  for (std::size_t plane : {1U, 2U})
    for (int y = 0; y < cells * cell.height / 2; ++y)
      std::fill_n(writable(view, plane) + y * view.strides_bytes[plane], cells * cell.width / 2, std::uint8_t{128});
}

std::optional<barcode> read_barcode(const core::frame_view& view) {
  const auto cell = cell_of(view.width_px, view.height_px);
  if (!view.planes[0] || cells * cell.width > view.width_px || cells * cell.height > view.height_px)
    return std::nullopt;
  std::uint64_t bits = 0;
  for (int i = 0; i < cells * cells; ++i) {
    const bool one = brightness(view, i % cells * cell.width, i / cells * cell.height, cell) > (black + white) / 2;
    bits = bits << 1 | (one ? 1U : 0U);
  }
  const auto payload = bits >> 16;
  if (checksum(payload) != (bits & 0xffffU)) return std::nullopt;
  return barcode{static_cast<std::uint16_t>(payload >> 32), static_cast<std::uint32_t>(payload)};
}

} // namespace penstock::media
