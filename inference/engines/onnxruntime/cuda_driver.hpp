#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace penstock::engine_module {

/// What the module needs of the CUDA driver: a stream of its own, in order with the caller's. Found in libcuda.so.1 at
/// run time, so that the module builds and loads on machines without it. Handles of the CUDA runtime (cudaStream_t) and
/// of the driver are the same things. Throws `failure` where the driver refuses.
class cuda_stream {
 public:
  explicit cuda_stream(std::int32_t device_index);
  cuda_stream(const cuda_stream&) = delete;
  cuda_stream& operator=(const cuda_stream&) = delete;
  ~cuda_stream();

  [[nodiscard]] void* native() const noexcept;

  /// The device's name, "NVIDIA H200".
  [[nodiscard]] const std::string& device_name() const noexcept;

  /// Later work of this stream begins after what is on `other` now; and the reverse. One thread at a time.
  void begin_after(void* other);
  void end_before(void* other);

  /// Waits for what is on this stream.
  void synchronize();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::engine_module
