#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/gpu/statistics.hpp"
#include "kernels/device.hpp"

namespace penstock::bench {

/// The value, or the end of the program with a message: a benchmark has nobody to return an error to.
template <class T>
T must(core::expected<T> result, std::string_view what) {
  if (!result) throw std::runtime_error{std::string{what} + ": " + result.error().message};
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// What is measured on, and how thoroughly.
struct bench_device {
  kernels::device_ptr device;
  kernels::stream_ptr stream;
  bool real = true;            ///< false on the CPU: sizes are small then, and figures mean nothing
  std::size_t cache_bytes = 0; ///< the device's L2
  std::size_t repeats = 50;

  /// Memory of the device.
  [[nodiscard]] kernels::buffer memory(std::size_t bytes) const {
    return must(device->allocate(bytes, core::memory_kind::device), "device memory");
  }
  [[nodiscard]] kernels::buffer pinned(std::size_t bytes) const {
    return must(device->allocate(bytes, core::memory_kind::host), "pinned memory");
  }
  void copy(std::byte* to, const std::byte* from, std::size_t bytes) const {
    must(device->copy(*stream, to, from, bytes), "copy");
    must(device->synchronize(*stream), "copy");
  }
};

/// Seconds of device time that a call takes, by events around many of them in a row. `call(i)` enqueues work on the
/// stream with input i of `inputs`; two turns warm up, the second tells how many calls make a repeat of 5 ms.
template <class F>
[[nodiscard]] spread device_seconds(const bench_device& on, std::size_t inputs, F&& call) {
  const auto from = must(on.device->make_event(), "event");
  const auto to = must(on.device->make_event(), "event");
  const auto repeat = [&](std::size_t calls) {
    must(on.device->record(*from, *on.stream), "record");
    for (std::size_t i = 0; i < calls; ++i) call(i % inputs);
    must(on.device->record(*to, *on.stream), "record");
    must(on.device->synchronize(*on.stream), "synchronize");
    const auto passed = must(on.device->elapsed(*from, *to), "elapsed");
    return std::chrono::duration<double>(passed).count() / static_cast<double>(calls);
  };
  repeat(inputs);
  const auto calls = on.real ? calls_per_repeat(repeat(inputs), 0.005, inputs) : inputs;
  std::vector<double> seconds;
  for (std::size_t i = 0; i < on.repeats; ++i) seconds.push_back(repeat(calls));
  return spread_of(std::move(seconds));
}

/// Seconds of wall time that a call takes; the first, not counted, warms up.
template <class F>
[[nodiscard]] spread wall_seconds(std::size_t repeats, F&& call) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i <= repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    call();
    if (i > 0) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return spread_of(std::move(seconds));
}

} // namespace penstock::bench
