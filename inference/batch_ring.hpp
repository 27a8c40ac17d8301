#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/detection.hpp"
#include "core/error.hpp"
#include "core/frame.hpp"
#include "inference/engine.hpp"
#include "inference/head.hpp"
#include "inference/image_input.hpp"
#include "kernels/device.hpp"
#include "kernels/preprocess.hpp"

namespace penstock::inference {

/// Everything that a batch goes through on a device, from frames to objects.
struct batch_ring_config {
  kernels::device_ptr device;
  session_ptr session; ///< runs on that device (`model_info::memory` is `device`), or on the CPU for the host device
  image_input input;
  head_ptr head;
  kernels::preprocess_spec spec;
  std::size_t lanes = 3;         ///< batches under way at the same time: one fed, one computed, one read back
  std::size_t batch = 1;         ///< most images of one
  std::size_t staging_bytes = 0; ///< of pinned memory (and as much of the device's) for the frames of one batch that
                                 ///< come from host memory; grows where frames need more, up to `most_staging_bytes`
  /// A batch that needs more is uploaded in rounds, between which `start` blocks; of a frame that alone needs more the
  /// item is `too_large`. (64 frames of 1080p NV12 take 203 MiB.)
  std::size_t most_staging_bytes = std::size_t{256} << 20U;
};

/// What became of a batch.
struct batch_result {
  struct item {
    /// Best first, in source pixels. Errors: those of the frame alone (`invalid_argument`, `unsupported`, `too_large`),
    /// which keep no other frame from its objects.
    core::expected<std::vector<core::detection>> objects;
    kernels::geometry geometry; ///< empty where the frame could not be preprocessed
  };
  std::vector<item> items;             ///< in the order of the frames
  std::chrono::microseconds upload{0}; ///< device time of the copies to the device
  std::chrono::microseconds preprocess{0};
  std::chrono::microseconds inference{0};
  std::chrono::microseconds postprocess{0}; ///< with the copy back
};

/// Slots for batches on a device. Each lane has a stream, memory for a batch's tensor, staging memory for frames that
/// come from the CPU, and a table for its objects, so that copies, preprocessing, inference and postprocessing of
/// successive batches overlap. All memory is allocated by `make`, but for staging that turns out too small, and for
/// outputs that go to the CPU of models that do not say how large they are.
///
/// Frames in host memory go through pinned memory on a copy stream of the lane's own; frames of the device are read
/// where they are, once the device's default stream has passed what was on it when they came. Heads without an
/// `object_layout` or `class_layout` decode on the CPU, in `collect`: their outputs are copied to the host.
///
/// A lane whose `start` or `collect` failed is idle and takes the next batch, unless the device has failed: then every
/// `start` says how.
///
/// Thread-safe across lanes; one lane is used by one thread at a time.
class batch_ring {
 public:
  /// Error: `too_large` where the memory is not there, saying how much is needed and how much is free; `bad_config`.
  [[nodiscard]] static core::expected<std::unique_ptr<batch_ring>> make(batch_ring_config config);
  ~batch_ring(); ///< waits for what is under way
  batch_ring(const batch_ring&) = delete;
  batch_ring& operator=(const batch_ring&) = delete;

  [[nodiscard]] std::size_t lanes() const noexcept;
  [[nodiscard]] std::size_t batch() const noexcept;

  /// Bytes of device memory of the ring itself; the model's weights and workspace are the engine's.
  [[nodiscard]] std::size_t device_bytes() const noexcept;
  /// Bytes of pinned host memory.
  [[nodiscard]] std::size_t pinned_bytes() const noexcept;

  /// What `make` will take, for `penstock validate`. Device, session and head may be missing: the memory that only they
  /// know of is left out then.
  struct memory_plan {
    std::size_t device_bytes = 0;
    std::size_t pinned_bytes = 0;
  };
  [[nodiscard]] static memory_plan plan(const batch_ring_config& config);

  /// Starts a batch of 1 to `batch()` frames on an idle lane and keeps the frames alive. `done` is called from another
  /// thread when `collect` will not block; it must not block, throw, or call the ring. When this fails, nothing is
  /// under way and `done` is not called. Errors: `invalid_argument`; `too_large` where memory for staging is not there;
  /// `engine`, and those of `session::run`.
  [[nodiscard]] core::expected<void> start(std::size_t lane, std::vector<core::frame_ptr> frames,
                                           std::function<void()> done);

  /// The result of the lane's batch; the lane is idle again. Blocks until the batch is done. Errors: `engine` where the
  /// device or the engine failed; `invalid_argument` where the lane has no batch.
  [[nodiscard]] core::expected<batch_result> collect(std::size_t lane);

 private:
  struct impl;
  explicit batch_ring(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::inference
