#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace penstock::media {

/// What the first bytes of a picture file say.
struct picture_header {
  std::string_view codec; ///< libavcodec's name: "mjpeg", "png", "webp", "bmp"
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;

  [[nodiscard]] std::uint64_t pixels() const noexcept { return std::uint64_t{width_px} * height_px; }
  bool operator==(const picture_header&) const = default;
};

/// The codec a picture file announces by its signature; empty when it is none of JPEG, PNG, WebP, BMP.
[[nodiscard]] std::string_view picture_codec(std::span<const std::byte> bytes) noexcept;

/// Reads size and format of a JPEG, PNG, WebP or BMP without decoding it; empty when the bytes do not follow the
/// format, are too few, or announce an empty picture. Never reads outside `bytes`; linear in the headers.
[[nodiscard]] std::optional<picture_header> parse_picture_header(std::span<const std::byte> bytes) noexcept;

/// Whether a JPEG has its end marker behind the start of its scan, which decoders do not insist on.
[[nodiscard]] bool jpeg_is_complete(std::span<const std::byte> bytes) noexcept;

/// How often a JPEG goes over its picture: 1, or about ten times where it is progressive. Linear in `bytes`.
[[nodiscard]] std::size_t count_jpeg_scans(std::span<const std::byte> bytes) noexcept;

/// A PNG without the parts that are compressed and not shown (texts, colour profiles), which decoders unpack to any
/// size; empty where it has none of them.
[[nodiscard]] std::vector<std::byte> png_without_texts(std::span<const std::byte> bytes);

} // namespace penstock::media
