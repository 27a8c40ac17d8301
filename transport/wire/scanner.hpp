#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace penstock::transport {

/// Reads msgpack items where they lie, one after the other. Whatever is asked for is either there, whole, and read, or
/// nothing is returned.
class scanner {
 public:
  struct integer {
    bool negative = false;
    std::uint64_t bits = 0; ///< two's complement
  };

  scanner(std::span<const std::byte> from, std::size_t at) : from_{from}, at_{at} {}

  [[nodiscard]] std::size_t at() const noexcept { return at_; }

  /// Takes a nil, where one is next.
  bool nil() noexcept { return take_if(0xc0); }

  std::optional<bool> boolean() noexcept {
    if (take_if(0xc2)) return false;
    if (take_if(0xc3)) return true;
    return std::nullopt;
  }

  /// The number of items that follow.
  std::optional<std::size_t> array() noexcept {
    const auto type = peek();
    if (type >= 0x90 && type <= 0x9f) return ++at_, type & 0x0fU;
    if (type == 0xdc) return length<std::uint16_t>();
    if (type == 0xdd) return length<std::uint32_t>();
    return std::nullopt;
  }

  std::optional<std::span<const std::byte>> text() noexcept {
    const auto type = peek();
    if (type >= 0xa0 && type <= 0xbf) return ++at_, bytes(type & 0x1fU);
    if (type == 0xd9) return bytes(length<std::uint8_t>());
    if (type == 0xda) return bytes(length<std::uint16_t>());
    if (type == 0xdb) return bytes(length<std::uint32_t>());
    return std::nullopt;
  }

  std::optional<std::span<const std::byte>> binary() noexcept {
    const auto type = peek();
    if (type == 0xc4) return bytes(length<std::uint8_t>());
    if (type == 0xc5) return bytes(length<std::uint16_t>());
    if (type == 0xc6) return bytes(length<std::uint32_t>());
    return std::nullopt;
  }
  [[nodiscard]] bool is_binary() const noexcept { return peek() >= 0xc4 && peek() <= 0xc6; }

  std::optional<integer> whole_number() noexcept {
    const auto type = peek();
    if (type <= 0x7f) return ++at_, integer{false, static_cast<std::uint64_t>(type)};
    if (type >= 0xe0 && type <= 0xff) return ++at_, signed_number(static_cast<std::int8_t>(type));
    switch (type) {
    case 0xcc: return number<std::uint8_t>();
    case 0xcd: return number<std::uint16_t>();
    case 0xce: return number<std::uint32_t>();
    case 0xcf: return number<std::uint64_t>();
    case 0xd0: return number<std::int8_t>();
    case 0xd1: return number<std::int16_t>();
    case 0xd2: return number<std::int32_t>();
    case 0xd3: return number<std::int64_t>();
    default: return std::nullopt;
    }
  }

  /// Whole numbers, too: they are written as such.
  std::optional<double> real_number() noexcept {
    if (peek() == 0xca) {
      const auto bits = length<std::uint32_t>();
      return bits ? std::optional{static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(*bits)))}
                  : std::nullopt;
    }
    if (peek() == 0xcb) {
      const auto bits = length<std::uint64_t>();
      return bits ? std::optional{std::bit_cast<double>(std::uint64_t{*bits})} : std::nullopt;
    }
    const auto whole = whole_number();
    if (!whole) return std::nullopt;
    return whole->negative ? static_cast<double>(static_cast<std::int64_t>(whole->bits))
                           : static_cast<double>(whole->bits);
  }

 private:
  static integer signed_number(std::int64_t value) noexcept { return {value < 0, static_cast<std::uint64_t>(value)}; }

  /// The next byte; beyond all bytes at the end.
  [[nodiscard]] unsigned peek() const noexcept {
    return at_ < from_.size() ? std::to_integer<unsigned>(from_[at_]) : 0x100U;
  }
  bool take_if(unsigned type) noexcept {
    if (peek() != type) return false;
    ++at_;
    return true;
  }

  /// The type byte, then a big-endian number.
  template <class T>
  std::optional<std::size_t> length() noexcept {
    if (from_.size() - at_ <= sizeof(T)) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 1; i <= sizeof(T); ++i) value = value << 8U | std::to_integer<std::uint64_t>(from_[at_ + i]);
    at_ += 1 + sizeof(T);
    return value;
  }
  template <class T>
  std::optional<integer> number() noexcept {
    const auto bits = length<std::make_unsigned_t<T>>();
    if (!bits) return std::nullopt;
    if constexpr (std::is_signed_v<T>) return signed_number(static_cast<T>(*bits));
    return integer{false, *bits};
  }
  std::optional<std::span<const std::byte>> bytes(std::optional<std::size_t> size) noexcept {
    if (!size || from_.size() - at_ < *size) return std::nullopt;
    const auto found = from_.subspan(at_, *size);
    at_ += *size;
    return found;
  }

  std::span<const std::byte> from_;
  std::size_t at_;
};

} // namespace penstock::transport
