#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/memory.hpp"

namespace penstock::core {

enum class element_type : std::uint8_t { f32, f16, i8, u8, i32, i64 };

/// Order of the dimensions of an image tensor.
enum class tensor_layout : std::uint8_t { nchw, nhwc };

/// Bytes of one element.
[[nodiscard]] constexpr std::size_t size_of(element_type type) noexcept {
  switch (type) {
  case element_type::f32:
  case element_type::i32: return 4;
  case element_type::f16: return 2;
  case element_type::i8:
  case element_type::u8: return 1;
  case element_type::i64: return 8;
  }
  return 0;
}

/// Name for messages, e.g. "f32".
[[nodiscard]] constexpr std::string_view to_string(element_type type) noexcept {
  switch (type) {
  case element_type::f32: return "f32";
  case element_type::f16: return "f16";
  case element_type::i8: return "i8";
  case element_type::u8: return "u8";
  case element_type::i32: return "i32";
  case element_type::i64: return "i64";
  }
  return "unknown";
}

/// A dense tensor somebody else owns, row-major. `T` is `void` for writable memory and `const void` otherwise.
template <class T>
struct basic_tensor_view {
  T* data = nullptr;
  element_type type = element_type::f32;
  std::span<const std::int64_t> shape;
  memory_kind memory = memory_kind::host; ///< where `data` lies

  [[nodiscard]] std::size_t elements() const noexcept {
    std::size_t n = 1;
    for (auto d : shape) n *= static_cast<std::size_t>(d);
    return n;
  }

  [[nodiscard]] std::size_t size_bytes() const noexcept { return elements() * size_of(type); }
};

using tensor_view = basic_tensor_view<void>;
using const_tensor_view = basic_tensor_view<const void>;

} // namespace penstock::core
