#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace penstock::media {

/// Walks the NAL units of an H.264 or HEVC packet: behind start codes (Annex B), or behind lengths of `length_bytes`.
class nal_reader {
 public:
  /// `length_bytes` 0 means start codes.
  nal_reader(std::span<const std::byte> bytes, int length_bytes) noexcept;

  /// The next unit without its prefix, never empty; nothing at the end or where a length points outside.
  [[nodiscard]] std::optional<std::span<const std::byte>> next() noexcept;

 private:
  std::optional<std::span<const std::byte>> next_by_start_code() noexcept;

  std::span<const std::byte> rest_;
  int length_bytes_;
};

} // namespace penstock::media
