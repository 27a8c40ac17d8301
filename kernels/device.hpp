#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/memory.hpp"
#include "kernels/annotate.hpp"
#include "kernels/decode_objects.hpp"
#include "kernels/preprocess_batch.hpp"

namespace penstock::kernels {

/// What a device is, for people and for decisions.
struct device_info {
  std::string name;                                     ///< "cuda:0"; "host" for the device that runs on the CPU
  std::string model;                                    ///< "NVIDIA H200"
  core::memory_kind memory = core::memory_kind::device; ///< where its kernels read and write
  std::size_t memory_bytes = 0;                         ///< in all
  std::string capability;                               ///< "sm_90"; empty where there is none
  std::string driver;                                   ///< version, empty where there is none
  std::size_t index = 0;                                ///< CUDA's own number, N of "cuda:N"; 0 where there is none
};

/// Memory of a device, or pinned host memory that it can copy from and to while it computes. Freed when the last owner
/// goes; nothing that is enqueued may still use it then.
class buffer {
 public:
  buffer() = default;
  buffer(std::shared_ptr<void> memory, std::size_t bytes, core::memory_kind kind) noexcept
      : memory_{std::move(memory)}, bytes_{bytes}, kind_{kind} {}

  [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(memory_.get()); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return bytes_; }
  [[nodiscard]] core::memory_kind kind() const noexcept { return kind_; }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {data(), bytes_}; }
  explicit operator bool() const noexcept { return memory_ != nullptr; }

 private:
  std::shared_ptr<void> memory_;
  std::size_t bytes_ = 0;
  core::memory_kind kind_ = core::memory_kind::host;
};

/// Work in order: what is enqueued on one stream runs one after the other, and beside what other streams do. A device
/// makes its own; others see only what libraries need to work on it too.
class stream {
 public:
  stream() = default;
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  virtual ~stream() = default;

  /// The library's own handle (cudaStream_t), for engines; null on the host device.
  [[nodiscard]] virtual void* native() const noexcept = 0;
};

/// A point in a stream's work. Recorded anew, it means the later point.
class event {
 public:
  event() = default;
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  virtual ~event() = default;
};

using stream_ptr = std::unique_ptr<stream>;
using event_ptr = std::unique_ptr<event>;

/// Something that computes beside the CPU. All that is `enqueue`d returns before it is done, allocates nothing, and
/// waits for nothing; arguments that are spans of descriptions (frames, geometries, shapes) are read before it returns,
/// what they point to stays in use until the stream is past it. Memory is the device's (`buffer`) unless said
/// otherwise. Errors: `invalid_argument` where arguments do not fit, `engine` where the device failed (it stays failed
/// then). Thread-safe; one stream is used by one thread at a time.
class device {
 public:
  device() = default;
  device(const device&) = delete;
  device& operator=(const device&) = delete;
  virtual ~device() = default;

  [[nodiscard]] virtual const device_info& info() const noexcept = 0;

  /// Bytes that are free now.
  [[nodiscard]] virtual core::expected<std::size_t> free_bytes() const = 0;

  /// `device`: memory for kernels, aligned to 256 bytes. `host`: pinned memory. Error: `too_large` when there is none.
  [[nodiscard]] virtual core::expected<buffer> allocate(std::size_t bytes, core::memory_kind kind) = 0;

  [[nodiscard]] virtual core::expected<stream_ptr> make_stream() = 0;
  [[nodiscard]] virtual core::expected<event_ptr> make_event() = 0;

  // Order

  [[nodiscard]] virtual core::expected<void> record(event& point, stream& on) = 0;

  /// Later work of the stream begins after the recorded point.
  [[nodiscard]] virtual core::expected<void> wait(stream& later, const event& point) = 0;

  /// Later work of the stream begins after all that other libraries have put on the device's default stream so far
  /// (decoders).
  [[nodiscard]] virtual core::expected<void> wait_for_default_stream(stream& later) = 0;

  /// Calls `done` from a thread of the device once the stream is past this point, also when the device has failed by
  /// then. It must not block, throw, or call the device. Where this returns an error `done` is never called, and what
  /// was enqueued before may still run: `synchronize` before its memory goes.
  [[nodiscard]] virtual core::expected<void> notify(stream& on, std::function<void()> done) = 0;

  /// Blocks until the stream has done everything.
  [[nodiscard]] virtual core::expected<void> synchronize(stream& on) = 0;

  /// Device time between two points that have been reached.
  [[nodiscard]] virtual core::expected<std::chrono::nanoseconds> elapsed(const event& from, const event& to) const = 0;

  // Copies

  /// Between any two of device memory
  /// and pinned memory.
  [[nodiscard]] virtual core::expected<void> copy(stream& on, std::byte* to, const std::byte* from,
                                                  std::size_t bytes) = 0;

  // Kernels: each has a twin in kernels/cpu
  // with the same arguments.

  /// See `preprocess_batch`.
  [[nodiscard]] virtual core::expected<void> preprocess(stream& on, const preprocess_batch& job) = 0;

  /// See `decode_batch`.
  [[nodiscard]] virtual core::expected<void> decode(stream& on, const decode_batch& job) = 0;

  /// See `annotate_job`.
  [[nodiscard]] virtual core::expected<void> annotate(stream& on, const annotate_job& job) = 0;

  /// See `to_jpeg_planes_job`.
  [[nodiscard]] virtual core::expected<void> to_jpeg_planes(stream& on, const to_jpeg_planes_job& job) = 0;
};

using device_ptr = std::shared_ptr<device>;

/// The CPU behind the same interface: everything is done when a call returns. What the kernels' twins are tested with,
/// and what a machine without a GPU runs the device pipeline on in tests.
[[nodiscard]] device_ptr make_host_device();

/// Why there is no CUDA device here, or what there is.
struct cuda_status {
  bool built = false;               ///< whether this build has the CUDA kernels
  std::string absent;               ///< why none can be used, and what to do about it; empty when `devices` has some
  std::vector<device_info> devices; ///< those that can be used
};

/// Looks at the machine once; cheap and thread-safe afterwards.
[[nodiscard]] const cuda_status& cuda();

/// Opens the CUDA device of that number: `device_info::index` of one of `cuda().devices`, which has gaps where GPUs
/// cannot be used. Error: `unsupported`, saying why.
[[nodiscard]] core::expected<device_ptr> open_cuda_device(std::size_t index);

} // namespace penstock::kernels
