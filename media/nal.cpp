#include "media/nal.hpp"

#include <cstring>

namespace penstock::media {

namespace {

/// Offset behind the next 00 00 01, or the size of `bytes` when there is none.
std::size_t after_start_code(std::span<const std::byte> bytes) noexcept {
  const auto* begin = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t at = 2;
  while (at < bytes.size()) {
    const void* hit = std::memchr(begin + at, 1, bytes.size() - at);
    if (!hit) break;
    at = static_cast<std::size_t>(static_cast<const unsigned char*>(hit) - begin);
    if (begin[at - 1] == 0 && begin[at - 2] == 0) return at + 1;
    ++at;
  }
  return bytes.size();
}

} // namespace

nal_reader::nal_reader(std::span<const std::byte> bytes, int length_bytes) noexcept
    : rest_{bytes}, length_bytes_{length_bytes} {
  if (length_bytes_ == 0) rest_ = rest_.subspan(after_start_code(rest_));
}

std::optional<std::span<const std::byte>> nal_reader::next() noexcept {
  if (length_bytes_ == 0) return next_by_start_code();
  const auto prefix = static_cast<std::size_t>(length_bytes_);
  while (rest_.size() > prefix) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < prefix; ++i) length = length << 8 | std::to_integer<std::size_t>(rest_[i]);
    rest_ = rest_.subspan(prefix);
    if (length > rest_.size()) break;
    const auto unit = rest_.first(length);
    rest_ = rest_.subspan(length);
    if (!unit.empty()) return unit;
  }
  rest_ = {};
  return std::nullopt;
}

std::optional<std::span<const std::byte>> nal_reader::next_by_start_code() noexcept {
  while (!rest_.empty()) {
    const auto next = after_start_code(rest_);
    auto unit = next == rest_.size() ? rest_ : rest_.first(next - 3);
    rest_ = rest_.subspan(next);
    while (!unit.empty() && unit.back() == std::byte{0}) unit = unit.first(unit.size() - 1);
    if (!unit.empty()) return unit;
  }
  return std::nullopt;
}

} // namespace penstock::media
