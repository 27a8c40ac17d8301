#include "gateway/http/sniff.hpp"

#include <string>

namespace penstock::gateway::http {

namespace {

using namespace std::string_view_literals;

std::uint32_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }

std::uint32_t big16(std::string_view bytes, std::size_t at) {
  return byte_at(bytes, at) << 8U | byte_at(bytes, at + 1);
}

std::uint32_t big32(std::string_view bytes, std::size_t at) { return big16(bytes, at) << 16U | big16(bytes, at + 2); }

std::uint32_t little24(std::string_view bytes, std::size_t at) {
  return byte_at(bytes, at) | byte_at(bytes, at + 1) << 8U | byte_at(bytes, at + 2) << 16U;
}

bool has(std::string_view bytes, std::size_t at, std::string_view what) {
  return bytes.size() >= at + what.size() && bytes.substr(at, what.size()) == what;
}

auto corrupt(const char* what) { return core::fail(core::errc::corrupt, what); }

/// Start of frame: baseline, progressive and their kin, but not the tables that share their range (T.81, B.1.1.3).
bool is_frame_start(std::uint32_t marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

core::expected<picture_size> jpeg_size(std::string_view b) {
  std::size_t at = 2;
  while (at + 4 <= b.size()) {
    if (byte_at(b, at) != 0xff) return corrupt("the JPEG has no frame header where one must stand");
    const auto marker = byte_at(b, at + 1);
    if (marker == 0xff) {
      ++at; // a filler
      continue;
    }
    if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2; // without a length
      continue;
    }
    if (marker == 0xda || marker == 0xd9) break; // pixels or the end, and no frame header before
    const auto length = big16(b, at + 2);
    if (length < 2) return corrupt("the JPEG has a segment of no length");
    if (is_frame_start(marker)) {
      if (length < 8 || at + 9 > b.size()) return corrupt("the JPEG's frame header is cut off");
      return picture_size{big16(b, at + 7), big16(b, at + 5)};
    }
    at += 2 + length;
  }
  return corrupt("the JPEG has no frame header");
}

core::expected<picture_size> png_size(std::string_view b) {
  if (!has(b, 12, "IHDR"sv) || b.size() < 33) return corrupt("the PNG does not begin with its header");
  return picture_size{big32(b, 16), big32(b, 20)};
}

core::expected<picture_size> webp_size(std::string_view b) {
  if (b.size() >= 30 && has(b, 12, "VP8X"sv)) return picture_size{little24(b, 24) + 1, little24(b, 27) + 1};
  if (b.size() >= 25 && has(b, 12, "VP8L"sv) && byte_at(b, 20) == 0x2f) {
    const auto bits = little24(b, 21) | byte_at(b, 24) << 24U;
    return picture_size{(bits & 0x3fffU) + 1, (bits >> 14U & 0x3fffU) + 1};
  }
  if (b.size() >= 30 && has(b, 12, "VP8 "sv) && has(b, 23, "\x9d\x01\x2a"sv)) {
    return picture_size{little24(b, 26) & 0x3fffU, (little24(b, 27) >> 8U) & 0x3fffU};
  }
  return corrupt("the WebP does not begin with its header");
}

} // namespace

media_kind sniff(std::string_view b) noexcept {
  if (has(b, 0, "\xff\xd8\xff"sv)) return media_kind::jpeg;
  if (has(b, 0, "\x89PNG\r\n\x1a\n"sv)) return media_kind::png;
  if (has(b, 0, "RIFF"sv) && has(b, 8, "WEBP"sv)) return media_kind::webp;
  if (has(b, 4, "ftyp"sv)) return media_kind::mp4;
  if (has(b, 0, "\x1a\x45\xdf\xa3"sv)) return media_kind::matroska;
  // A transport stream has nothing but its sync byte, in every packet of 188 bytes.
  if (has(b, 0, "\x47"sv) && has(b, 188, "\x47"sv) && has(b, 376, "\x47"sv)) return media_kind::mpeg_ts;
  return media_kind::unknown;
}

bool is_picture(media_kind kind) noexcept {
  return kind == media_kind::jpeg || kind == media_kind::png || kind == media_kind::webp;
}

std::string_view content_type(media_kind kind) noexcept {
  switch (kind) {
  case media_kind::jpeg: return "image/jpeg";
  case media_kind::png: return "image/png";
  case media_kind::webp: return "image/webp";
  case media_kind::mp4: return "video/mp4";
  case media_kind::mpeg_ts: return "video/mp2t";
  case media_kind::matroska: return "video/x-matroska";
  case media_kind::unknown: break;
  }
  return "application/octet-stream";
}

core::expected<picture_size> size_of_picture(std::string_view bytes, media_kind kind) {
  auto size = kind == media_kind::jpeg   ? jpeg_size(bytes)
              : kind == media_kind::png  ? png_size(bytes)
              : kind == media_kind::webp ? webp_size(bytes)
                                         : core::expected<picture_size>{corrupt("it is not a picture")};
  if (size && (size->width_px == 0 || size->height_px == 0))
    return corrupt("the picture's header says that it is empty");
  return size;
}

} // namespace penstock::gateway::http
