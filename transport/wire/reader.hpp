#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <limits>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/frame.hpp"
#include "core/packet.hpp"
#include "core/result.hpp"
#include "core/tensor.hpp"
#include "transport/wire.hpp"

namespace penstock::transport {

// Which numbers are values of an enumeration.
inline bool known(core::drop_reason r) { return static_cast<std::size_t>(r) < core::drop_reason_count; }
inline bool known(core::random_access a) { return a <= core::random_access::open; }
inline bool known(core::errc e) { return e <= core::errc::internal; }
inline bool known(core::element_type t) { return t <= core::element_type::i64; }
inline bool known(core::pixel_format f) { return f <= core::pixel_format::p010; }
inline bool known(core::color_matrix m) { return m <= core::color_matrix::bt709; }
inline bool known(core::color_range r) { return r <= core::color_range::full; }

/// Reads what a writer wrote, or anything else that somebody sent. The first thing that is wrong is kept, and
/// everything after it is skipped; the caller looks at `error()` at the end.
class reader {
 public:
  static constexpr bool reading = true;

  reader(const msgpack::object& from, std::span<const shared_bytes> payloads, const wire_limits& limits)
      : at_{&from}, payloads_{payloads}, limits_{limits} {}

  [[nodiscard]] const std::optional<core::error>& error() const noexcept { return error_; }
  [[nodiscard]] const wire_limits& limits() const noexcept { return limits_; }
  /// How many of the payloads were taken.
  [[nodiscard]] std::size_t payloads_read() const noexcept { return next_payload_; }

  void fail(core::errc code, std::string what) {
    if (!error_) error_ = core::error{code, std::move(what)};
  }

  /// A struct: an array of exactly these fields.
  template <class... Fields>
  void operator()(Fields&&... values) {
    const auto* items = array(sizeof...(values));
    if (items == nullptr) return;
    const auto* outer = at_;
    ((at_ = items++, get(values)), ...);
    at_ = outer;
  }

  template <class T>
  void get(T& value) {
    if (error_) return;
    if constexpr (std::is_same_v<T, bool>) {
      if (at_->type != msgpack::type::BOOLEAN) return wrong("a truth value");
      value = at_->via.boolean;
    } else if constexpr (std::is_enum_v<T>) {
      std::uint64_t number = 0;
      get(number);
      value = static_cast<T>(number);
      if (!error_ && (number > std::numeric_limits<std::underlying_type_t<T>>::max() || !known(value)))
        fail(core::errc::corrupt, fmt::format("{} is none of its values", number));
    } else if constexpr (std::is_floating_point_v<T>) {
      switch (at_->type) { // whole numbers are written as such
      case msgpack::type::FLOAT32:
      case msgpack::type::FLOAT64: value = static_cast<T>(at_->via.f64); break;
      case msgpack::type::POSITIVE_INTEGER: value = static_cast<T>(at_->via.u64); break;
      case msgpack::type::NEGATIVE_INTEGER: value = static_cast<T>(at_->via.i64); break;
      default: wrong("a number");
      }
    } else if constexpr (std::is_integral_v<T>) {
      integer(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (at_->type != msgpack::type::STR) return wrong("a text");
      value.assign(at_->via.str.ptr, at_->via.str.size);
    } else {
      fields(*this, value);
    }
  }
  template <class R, class P>
  void get(std::chrono::duration<R, P>& value) {
    std::int64_t count = 0;
    get(count);
    value = std::chrono::duration<R, P>{static_cast<R>(count)};
  }
  template <class T>
  void get(std::optional<T>& value) {
    if (error_ || is_nil()) return;
    get(value.emplace());
  }
  template <class T>
  void get(std::shared_ptr<const T>& value) {
    if (error_) return;
    auto made = std::make_shared<T>();
    get(*made);
    if (!error_) value = std::move(made);
  }
  template <class T>
  void get(std::vector<T>& values) {
    if (error_) return;
    if (at_->type != msgpack::type::ARRAY) return wrong("a list");
    const auto n = at_->via.array.size;
    const auto* outer = at_;
    values.clear();
    values.reserve(std::min<std::size_t>(n, 4096)); // what is claimed is not believed
    for (std::uint32_t i = 0; i < n && !error_; ++i) {
      at_ = outer->via.array.ptr + i;
      get(values.emplace_back());
    }
    at_ = outer;
  }
  template <class T, std::size_t N>
  void get(std::array<T, N>& values) {
    const auto* items = array(N);
    if (items == nullptr) return;
    const auto* outer = at_;
    for (auto& value : values) {
      at_ = items++;
      get(value);
    }
    at_ = outer;
  }
  void get(std::vector<std::byte>& bytes) {
    if (error_) return;
    if (at_->type != msgpack::type::BIN) return wrong("bytes");
    const auto* data = reinterpret_cast<const std::byte*>(at_->via.bin.ptr);
    bytes.assign(data, data + at_->via.bin.size);
  }

  /// The next payload; its size must be the one in the header.
  void get(shared_bytes& part) {
    std::uint64_t size = 0;
    get(size);
    if (error_) return;
    if (next_payload_ == payloads_.size()) return fail(core::errc::corrupt, "fewer parts than its header says");
    part = payloads_[next_payload_++];
    if (part.bytes.size() != size)
      fail(core::errc::corrupt, fmt::format("a part of {} bytes where its header says {}", part.bytes.size(), size));
  }

 private:
  [[nodiscard]] bool is_nil() const noexcept { return at_->type == msgpack::type::NIL; }

  /// The items of the array here, which must be so many; null otherwise.
  [[nodiscard]] const msgpack::object* array(std::size_t n) {
    if (error_) return nullptr;
    if (at_->type != msgpack::type::ARRAY || at_->via.array.size != n) {
      wrong(fmt::format("an array of {}", n));
      return nullptr;
    }
    return at_->via.array.ptr;
  }

  template <class T>
  void integer(T& value) {
    if (at_->type == msgpack::type::POSITIVE_INTEGER) {
      if (at_->via.u64 > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) return wrong("a smaller number");
      value = static_cast<T>(at_->via.u64);
    } else if (at_->type == msgpack::type::NEGATIVE_INTEGER && std::is_signed_v<T>) {
      if (at_->via.i64 < static_cast<std::int64_t>(std::numeric_limits<T>::min())) return wrong("a larger number");
      value = static_cast<T>(at_->via.i64);
    } else {
      wrong("a whole number");
    }
  }

  void wrong(const std::string& expected) { fail(core::errc::corrupt, "not " + expected + " where one must be"); }

  const msgpack::object* at_;
  std::span<const shared_bytes> payloads_;
  const wire_limits& limits_;
  std::size_t next_payload_ = 0;
  std::optional<core::error> error_;
};

} // namespace penstock::transport
