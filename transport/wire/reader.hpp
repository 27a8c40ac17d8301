#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/frame.hpp"
#include "core/packet.hpp"
#include "core/result.hpp"
#include "core/tensor.hpp"
#include "core/worker_figures.hpp"
#include "transport/wire.hpp"
#include "transport/wire/scanner.hpp"

namespace penstock::transport {

// Which numbers are values of an enumeration.
inline bool known(core::drop_reason r) { return static_cast<std::size_t>(r) < core::drop_reason_count; }
inline bool known(core::random_access a) { return a <= core::random_access::open; }
inline bool known(core::errc e) { return e <= core::errc::internal; }
inline bool known(core::element_type t) { return t <= core::element_type::i64; }
inline bool known(core::pixel_format f) { return f <= core::pixel_format::p010; }
inline bool known(core::color_matrix m) { return m <= core::color_matrix::bt709; }
inline bool known(core::stage s) { return s <= core::stage::postprocess; }
inline bool known(core::worker_phase p) { return p <= core::worker_phase::draining; }
inline bool known(core::resource r) { return r <= core::resource::device; }
inline bool known(core::color_range r) { return r <= core::color_range::full; }

/// Bytes to be read, with zeros behind them that may be read, too.
struct padded {
  shared_bytes& bytes;
  std::size_t padding = 0;
};

/// Reads what a writer wrote, or anything else that somebody sent. The first thing that is wrong is kept, and
/// everything after it is skipped; the caller looks at `error()` at the end.
class reader {
 public:
  static constexpr bool reading = true;

  reader(scanner& from, std::span<const shared_bytes> payloads, const wire_limits& limits)
      : from_{from}, payloads_{payloads}, limits_{limits} {}

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
    begin_array(sizeof...(values));
    (get(values), ...);
  }

  void begin_array(std::size_t n) {
    if (!error_ && from_.array() != n) fail(core::errc::corrupt, fmt::format("no array of {} where one must be", n));
  }

  template <class T>
  void get(T& value) {
    if (error_) return;
    if constexpr (std::is_same_v<T, bool>) {
      take(from_.boolean(), value, "a truth value");
    } else if constexpr (std::is_enum_v<T>) {
      std::uint64_t number = 0;
      get(number);
      value = static_cast<T>(number);
      if (!error_ && (number > std::numeric_limits<std::underlying_type_t<T>>::max() || !known(value)))
        fail(core::errc::corrupt, fmt::format("{} is none of its values", number));
    } else if constexpr (std::is_floating_point_v<T>) {
      take(from_.real_number(), value, "a number");
    } else if constexpr (std::is_integral_v<T>) {
      integer(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      const auto text = from_.text();
      if (!text) return wrong("a text");
      value.assign(reinterpret_cast<const char*>(text->data()), text->size());
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
    if (error_ || from_.nil()) return;
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
    const auto n = from_.array();
    if (!n) return wrong("a list");
    values.clear();
    values.reserve(std::min<std::size_t>(*n, 4096)); // what is claimed is not believed
    for (std::size_t i = 0; i < *n && !error_; ++i) get(values.emplace_back());
  }
  template <class T, std::size_t N>
  void get(std::array<T, N>& values) {
    begin_array(N);
    for (auto& value : values) get(value);
  }
  void get(std::vector<std::byte>& bytes) {
    if (error_) return;
    const auto found = from_.binary();
    if (!found) return wrong("bytes");
    bytes.assign(found->begin(), found->end());
  }

  /// A payload: in the header, or the next part, whose size is in the header.
  void get(shared_bytes& bytes) { get(padded{bytes}); }
  void get(const padded& payload) {
    if (error_) return;
    if (from_.is_binary()) return copy(payload);
    std::uint64_t size = 0;
    get(size);
    if (error_) return;
    if (next_payload_ == payloads_.size()) return fail(core::errc::corrupt, "fewer parts than its header says");
    const auto& part = payloads_[next_payload_++];
    if (part.bytes.size() != size)
      return fail(core::errc::corrupt,
                  fmt::format("a part of {} bytes where its header says {}", part.bytes.size(), size));
    const auto is_zero = [](std::byte b) { return b == std::byte{0}; };
    if (size < payload.padding || !std::ranges::all_of(part.bytes.last(payload.padding), is_zero))
      return fail(core::errc::corrupt, "a part without its padding");
    payload.bytes = {part.owner, part.bytes.first(size - payload.padding)};
  }

 private:
  void copy(const padded& payload) {
    const auto found = from_.binary();
    if (!found) return wrong("bytes");
    auto memory = std::make_shared_for_overwrite<std::byte[]>(found->size() + payload.padding);
    std::ranges::copy(*found, memory.get());
    std::fill_n(memory.get() + found->size(), payload.padding, std::byte{0});
    payload.bytes.bytes = {memory.get(), found->size()};
    payload.bytes.owner = std::move(memory);
  }

  template <class From, class T>
  void take(const std::optional<From>& from, T& to, const char* expected) {
    if (!from) return wrong(expected);
    to = static_cast<T>(*from);
  }

  template <class T>
  void integer(T& value) {
    const auto read = from_.whole_number();
    if (!read) return wrong("a whole number");
    if (read->negative) {
      const auto number = static_cast<std::int64_t>(read->bits);
      if (!std::is_signed_v<T> || number < static_cast<std::int64_t>(std::numeric_limits<T>::min()))
        return wrong("a larger number");
    } else if (read->bits > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
      return wrong("a smaller number");
    }
    value = static_cast<T>(read->bits);
  }

  void wrong(const char* expected) { fail(core::errc::corrupt, fmt::format("not {} where one must be", expected)); }

  scanner& from_;
  std::span<const shared_bytes> payloads_;
  const wire_limits& limits_;
  std::size_t next_payload_ = 0;
  std::optional<core::error> error_;
};

} // namespace penstock::transport
