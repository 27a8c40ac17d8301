#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

#include "core/error.hpp"
#include "kernels/device.hpp"

namespace penstock::inference {

/// Counts what a ring holds of a device's memory. Thread-safe, and so are its counters while lanes grow.
class ring_memory {
 public:
  explicit ring_memory(kernels::device& from) noexcept : device_{&from} {}

  /// Replaces `held` by a buffer of that many bytes (none for 0), given back first so that both never exist at once.
  /// Nothing may be using it. Error: `too_large`; `held` is empty then.
  [[nodiscard]] core::expected<void> replace(kernels::buffer& held, std::size_t bytes, core::memory_kind kind) {
    auto& count = kind == core::memory_kind::device ? device_bytes_ : pinned_bytes_;
    count -= held.size_bytes();
    held = {};
    if (bytes == 0) return {};
    auto taken = device_->allocate(bytes, kind);
    if (!taken) return tl::unexpected{std::move(taken).error()};
    held = *std::move(taken);
    count += held.size_bytes();
    return {};
  }

  [[nodiscard]] std::size_t device_bytes() const noexcept { return device_bytes_; }
  [[nodiscard]] std::size_t pinned_bytes() const noexcept { return pinned_bytes_; }

 private:
  kernels::device* device_;
  std::atomic<std::size_t> device_bytes_ = 0;
  std::atomic<std::size_t> pinned_bytes_ = 0;
};

} // namespace penstock::inference
