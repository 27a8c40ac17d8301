#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "transport/wire.hpp"

namespace penstock::transport {

/// Payloads up to so many bytes travel in the header: they cost less to copy than to send by themselves. What is larger
/// arrives in memory of its own, which is aligned.
inline constexpr std::size_t most_inline_bytes = 8192;
/// In headers beyond this size all payloads are parts, lest the header itself be too large.
inline constexpr std::size_t roomy_header_bytes = std::size_t{1} << 20U;

/// Bytes that travel untouched: in the header where they are few, otherwise as a part of their own, with the readable
/// zeros behind them; the header then holds the part's size.
struct payload {
  const std::shared_ptr<const void>& owner;
  std::span<const std::byte> bytes;
  std::size_t padding = 0;
};

/// Writes what `fields` (wire/fields.hpp) names: a struct is an array of its fields.
class writer {
 public:
  static constexpr bool reading = false;

  explicit writer(parts& out) : out_{out}, buffer_{out.header}, pack_{buffer_} {}

  template <class... Fields>
  void operator()(const Fields&... values) {
    pack_.pack_array(static_cast<std::uint32_t>(sizeof...(values)));
    (put(values), ...);
  }

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      pack_.pack(static_cast<std::uint64_t>(value));
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      pack_.pack(value);
    } else {
      fields(*this, value);
    }
  }
  template <class R, class P>
  void put(const std::chrono::duration<R, P>& value) {
    pack_.pack(static_cast<std::int64_t>(value.count()));
  }
  template <class T>
  void put(const std::optional<T>& value) {
    if (!value) return nil();
    put(*value);
  }
  template <class T>
  void put(const std::shared_ptr<const T>& value) {
    if (!value) return nil();
    put(*value);
  }
  template <class T>
  void put(const std::vector<T>& values) {
    pack_.pack_array(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) put(value);
  }
  template <class T, std::size_t N>
  void put(const std::array<T, N>& values) {
    pack_.pack_array(N);
    for (const auto& value : values) put(value);
  }
  void put(const std::vector<std::byte>& bytes) { binary(bytes); }
  void put(const payload& value) {
    if (value.bytes.size() <= most_inline_bytes && out_.header.size() < roomy_header_bytes) return binary(value.bytes);
    const auto size = value.bytes.size() + value.padding;
    pack_.pack(static_cast<std::uint64_t>(size));
    out_.payloads.push_back({value.owner, {value.bytes.data(), size}});
  }

  void nil() { pack_.pack_nil(); }

  void begin_array(std::size_t n) { pack_.pack_array(static_cast<std::uint32_t>(n)); }

 private:
  void binary(std::span<const std::byte> bytes) {
    pack_.pack_bin(static_cast<std::uint32_t>(bytes.size()));
    pack_.pack_bin_body(reinterpret_cast<const char*>(bytes.data()), static_cast<std::uint32_t>(bytes.size()));
  }

  struct byte_buffer {
    std::vector<std::byte>& to;
    void write(const char* data, std::size_t size) {
      const auto* bytes = reinterpret_cast<const std::byte*>(data);
      to.insert(to.end(), bytes, bytes + size);
    }
  };

  parts& out_;
  byte_buffer buffer_;
  msgpack::packer<byte_buffer> pack_;
};

} // namespace penstock::transport
