#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock::media {

/// Reads bits, most significant first; past the end it reads zeros and says so. With `escaped`, the emulation
/// prevention bytes of H.264 and HEVC (00 00 03) are skipped.
class bit_reader {
 public:
  explicit bit_reader(std::span<const std::byte> bytes, bool escaped = false) noexcept
      : bytes_{bytes}, escaped_{escaped} {}

  [[nodiscard]] std::uint32_t bit() noexcept {
    if (bit_ == 0 && !next_byte()) return 0;
    return current_ >> --bit_ & 1U;
  }

  /// Up to 32 bits.
  [[nodiscard]] std::uint32_t bits(int count) noexcept {
    std::uint32_t value = 0;
    while (count-- > 0) value = value << 1 | bit();
    return value;
  }

  void skip(int count) noexcept {
    while (count-- > 0) (void)bit();
  }

  /// Unsigned Exp-Golomb (H.264 9.1); more than 31 leading zeros is past the end of anything meant.
  [[nodiscard]] std::uint32_t exp_golomb() noexcept {
    int zeros = 0;
    while (!bit()) {
      if (exhausted_ || ++zeros > 31) return exhausted_ = true, 0U;
    }
    return (1U << zeros) - 1 + bits(zeros);
  }

  /// Whether more was asked for than there is.
  [[nodiscard]] bool exhausted() const noexcept { return exhausted_; }

 private:
  bool next_byte() noexcept {
    if (escaped_ && zeros_ >= 2 && at_ < bytes_.size() && bytes_[at_] == std::byte{3}) {
      ++at_;
      zeros_ = 0;
    }
    if (at_ >= bytes_.size()) {
      exhausted_ = true;
      return false;
    }
    current_ = std::to_integer<std::uint32_t>(bytes_[at_++]);
    zeros_ = current_ == 0 ? zeros_ + 1 : 0;
    bit_ = 8;
    return true;
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::uint32_t current_ = 0;
  int bit_ = 0;
  int zeros_ = 0;
  bool escaped_ = false;
  bool exhausted_ = false;
};

} // namespace penstock::media
