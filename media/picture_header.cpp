#include "media/picture_header.hpp"

#include <algorithm>
#include <array>

namespace penstock::media {

namespace {

using bytes_view = std::span<const std::byte>;

constexpr std::uint32_t u8(bytes_view b, std::size_t at) { return std::to_integer<std::uint32_t>(b[at]); }
constexpr std::uint32_t be16(bytes_view b, std::size_t at) { return u8(b, at) << 8 | u8(b, at + 1); }
constexpr std::uint32_t be32(bytes_view b, std::size_t at) { return be16(b, at) << 16 | be16(b, at + 2); }
constexpr std::uint32_t le16(bytes_view b, std::size_t at) { return u8(b, at) | u8(b, at + 1) << 8; }
constexpr std::uint32_t le24(bytes_view b, std::size_t at) { return le16(b, at) | u8(b, at + 2) << 16; }
constexpr std::uint32_t le32(bytes_view b, std::size_t at) { return le16(b, at) | le16(b, at + 2) << 16; }

bool has(bytes_view b, std::size_t at, std::string_view text) {
  return b.size() >= at + text.size() &&
         std::equal(text.begin(), text.end(), b.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c, std::byte x) { return std::byte(c) == x; });
}

/// A marker segment of a JPEG: its code and where its length field stands.
struct jpeg_marker {
  std::uint32_t code = 0;
  std::size_t at = 0;
};

/// The first marker that `accept` takes; markers of the header only, so it ends at the start of the scan.
template <class Accept>
std::optional<jpeg_marker> find_jpeg_marker(bytes_view b, Accept accept) {
  std::size_t at = 2;
  while (at + 4 <= b.size()) {
    if (u8(b, at) != 0xff) return std::nullopt;
    const auto code = u8(b, at + 1);
    if (code == 0xff) { // fill byte
      ++at;
      continue;
    }
    if (accept(code)) return jpeg_marker{code, at + 2};
    if (code == 0xda || code == 0xd9) return std::nullopt;
    const bool bare = code == 0x01 || (code >= 0xd0 && code <= 0xd8);
    const auto length = bare ? 0 : be16(b, at + 2);
    if (!bare && length < 2) return std::nullopt;
    at += 2 + length;
  }
  return std::nullopt;
}

std::optional<picture_header> parse_jpeg(bytes_view b) {
  // SOF0…SOF15 without DHT (c4), JPG (c8) and DAC (cc)
  const auto frame = find_jpeg_marker(b, [](std::uint32_t code) {
    return code >= 0xc0 && code <= 0xcf && code != 0xc4 && code != 0xc8 && code != 0xcc;
  });
  if (!frame || frame->at + 7 > b.size()) return std::nullopt;
  return picture_header{"mjpeg", be16(b, frame->at + 5), be16(b, frame->at + 3)};
}

std::optional<picture_header> parse_png(bytes_view b) {
  if (b.size() < 24 || !has(b, 12, "IHDR")) return std::nullopt;
  return picture_header{"png", be32(b, 16), be32(b, 20)};
}

std::optional<picture_header> parse_webp(bytes_view b) {
  if (b.size() < 30) return std::nullopt;
  if (has(b, 12, "VP8X")) return picture_header{"webp", le24(b, 24) + 1, le24(b, 27) + 1};
  if (has(b, 12, "VP8L") && u8(b, 20) == 0x2f) {
    const auto packed = le32(b, 21);
    return picture_header{"webp", (packed & 0x3fff) + 1, (packed >> 14 & 0x3fff) + 1};
  }
  if (has(b, 12, "VP8 ") && has(b, 23, "\x9d\x01\x2a"))
    return picture_header{"webp", le16(b, 26) & 0x3fff, le16(b, 28) & 0x3fff};
  return std::nullopt;
}

std::optional<picture_header> parse_bmp(bytes_view b) {
  if (b.size() < 26) return std::nullopt;
  if (le32(b, 14) == 12) return picture_header{"bmp", le16(b, 18), le16(b, 20)};
  const auto height = le32(b, 22); // negative: rows from top to bottom
  return picture_header{"bmp", le32(b, 18), height & 0x80000000U ? 0U - height : height};
}

} // namespace

std::string_view picture_codec(bytes_view b) noexcept {
  if (has(b, 0, "\xff\xd8\xff")) return "mjpeg";
  if (has(b, 0, "\x89PNG\r\n\x1a\n")) return "png";
  if (has(b, 0, "RIFF") && has(b, 8, "WEBP")) return "webp";
  if (has(b, 0, "BM") && b.size() >= 18 && le32(b, 14) >= 12 && le32(b, 14) <= 124) return "bmp";
  return {};
}

std::optional<picture_header> parse_picture_header(bytes_view b) noexcept {
  const auto codec = picture_codec(b);
  std::optional<picture_header> header;
  if (codec == "mjpeg") header = parse_jpeg(b);
  if (codec == "png") header = parse_png(b);
  if (codec == "webp") header = parse_webp(b);
  if (codec == "bmp") header = parse_bmp(b);
  if (header && header->pixels() == 0) return std::nullopt;
  return header;
}

bool jpeg_is_complete(bytes_view b) noexcept {
  if (b.size() < 4 || !has(b, 0, "\xff\xd8")) return false;
  const auto scan = find_jpeg_marker(b, [](std::uint32_t code) { return code == 0xda; });
  if (!scan) return false;
  static constexpr std::array end{std::byte{0xff}, std::byte{0xd9}};
  // from the back: nearly always the last two bytes
  for (auto at = b.size() - 1; at > scan->at; --at)
    if (b[at] == end[1] && b[at - 1] == end[0]) return true;
  return false;
}

std::size_t count_jpeg_scans(bytes_view b) noexcept {
  std::size_t scans = 0;
  for (auto at = b.begin(); (at = std::find(at, b.end(), std::byte{0xff})) != b.end();)
    if (++at != b.end() && *at == std::byte{0xda}) ++scans;
  return scans;
}

std::vector<std::byte> png_without_texts(bytes_view b) {
  constexpr std::size_t signature = 8;
  constexpr std::size_t around = 12; // length, kind and checksum of a chunk
  std::vector<std::byte> out;
  std::size_t kept = 0; // all before is in `out`, or there is nothing to leave out yet
  for (auto at = signature; b.size() >= at + around;) {
    const std::size_t length = std::size_t{be32(b, at)} + around;
    if (length > b.size() - at) break;
    if (has(b, at + 4, "zTXt") || has(b, at + 4, "iTXt") || has(b, at + 4, "iCCP")) {
      out.insert(out.end(), b.begin() + static_cast<std::ptrdiff_t>(kept), b.begin() + static_cast<std::ptrdiff_t>(at));
      kept = at + length;
    }
    at += length;
  }
  if (kept > 0) out.insert(out.end(), b.begin() + static_cast<std::ptrdiff_t>(kept), b.end());
  return out;
}

} // namespace penstock::media
