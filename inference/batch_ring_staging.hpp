#pragma once

#include <cstddef>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "inference/batch_ring_memory.hpp"
#include "kernels/device.hpp"

namespace penstock::inference {

/// Pinned memory and as much of the device's, through which frames of the CPU reach a device: rows are packed into the
/// one, and copied from there to the other while the CPU goes on. Not thread-safe.
class frame_staging {
 public:
  /// Bytes that a frame takes, from the start of a page: rows at multiples of 256 bytes, so that kernels load wide. The
  /// frame has a size and a format (`kernels::check`).
  [[nodiscard]] static std::size_t bytes_for(const core::frame_view& frame) noexcept;

  /// Makes room for that many bytes in all, if there is less. Nothing may be under way. Error: `too_large`; there is
  /// no room at all then.
  [[nodiscard]] core::expected<void> reserve(ring_memory& memory, std::size_t bytes);

  [[nodiscard]] std::size_t size_bytes() const noexcept { return pinned_.size_bytes(); }

  /// Packs the frame at `offset` (a sum of `bytes_for`) and enqueues its copy. Returns the frame as it will be on the
  /// device when `copies` is past this point; what was there must not be in use any more.
  [[nodiscard]] core::expected<core::frame_view> upload(kernels::device& device, kernels::stream& copies,
                                                        const core::frame_view& frame, std::size_t offset);

 private:
  kernels::buffer pinned_;
  kernels::buffer staged_;
};

} // namespace penstock::inference
