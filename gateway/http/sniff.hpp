#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.hpp"

namespace penstock::gateway::http {

/// What a body is by its first bytes, whatever the client calls it.
enum class media_kind : std::uint8_t { unknown, jpeg, png, webp, mp4, mpeg_ts, matroska };

/// Bytes that `sniff` looks at, at most: two packets of a transport stream.
inline constexpr std::size_t sniffed_bytes = 377;

[[nodiscard]] media_kind sniff(std::string_view begin) noexcept;
[[nodiscard]] bool is_picture(media_kind kind) noexcept;
/// e.g. "image/jpeg".
[[nodiscard]] std::string_view content_type(media_kind kind) noexcept;

struct picture_size {
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;

  bool operator==(const picture_size&) const = default;
};

/// The size that a picture's header states, without decoding anything. Error: corrupt (it states none).
[[nodiscard]] core::expected<picture_size> size_of_picture(std::string_view bytes, media_kind kind);

} // namespace penstock::gateway::http
