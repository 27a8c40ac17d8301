#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/tensor.hpp"
#include "inference/batch_ring.hpp"
#include "inference/batch_ring_memory.hpp"
#include "inference/batch_ring_staging.hpp"
#include "inference/engine.hpp"
#include "kernels/device.hpp"

namespace penstock::inference {

/// What a lane allocates, in bytes, but for staging.
struct lane_layout {
  std::size_t slots = 0; ///< of the tensor: the model's own batch where that is fixed
  bool fixed = false;    ///< whether the model runs with all slots whatever the batch
  std::size_t tensor = 0;
  std::size_t objects_at = 0; ///< in the table, behind the counts
  std::size_t max_objects = 0;
  std::size_t table = 0; ///< 0 where the head decodes on the CPU
  std::size_t workspace = 0;
  std::size_t outputs = 0; ///< pinned, for heads that decode on the CPU; 0 while the model does not say how much

  [[nodiscard]] static lane_layout of(const batch_ring_config& config);
};

/// One batch's way through the device: its streams, its memory, and what became of it. One thread at a time.
class ring_lane {
 public:
  /// `config` and `memory` outlive the lane.
  [[nodiscard]] static core::expected<std::unique_ptr<ring_lane>> make(const batch_ring_config& config,
                                                                       ring_memory& memory);
  ~ring_lane();
  ring_lane(const ring_lane&) = delete;
  ring_lane& operator=(const ring_lane&) = delete;

  [[nodiscard]] core::expected<void> start(std::vector<core::frame_ptr> frames, std::function<void()> done);
  [[nodiscard]] core::expected<batch_result> collect();

 private:
  /// A frame that has a slot.
  struct admitted {
    std::size_t item = 0;
    std::size_t staging_bytes = 0; ///< 0 for frames of the device
  };

  /// An output that is read on the CPU.
  struct host_output {
    core::element_type type = core::element_type::f32;
    std::vector<std::int64_t> shape;
    std::size_t at = 0; ///< in `home_`
    std::size_t bytes = 0;
    std::vector<float> widened{}; ///< of f16
  };

  enum point : std::size_t { copies_begun, copies_done, begun, preprocessed, inferred, finished, points };

  ring_lane(const batch_ring_config& config, ring_memory& memory);
  [[nodiscard]] core::expected<void> allocate();
  [[nodiscard]] core::expected<void> blank_tensor();

  [[nodiscard]] core::expected<std::size_t> admit(const core::frame_view& frame) const;
  [[nodiscard]] core::expected<void> enqueue(std::function<void()> done);
  [[nodiscard]] core::expected<void> admit_all();
  [[nodiscard]] core::expected<void> preprocess();
  [[nodiscard]] core::expected<void> infer();
  [[nodiscard]] core::expected<void> postprocess();
  [[nodiscard]] core::expected<void> fetch_outputs();
  void abandon();
  void forget();

  [[nodiscard]] core::expected<void> mark(point p) { return device_->record(*points_[p], *compute_); }
  [[nodiscard]] core::expected<std::chrono::microseconds> between(point from, point to) const;
  void read_table(batch_result& result) const;
  void decode_outputs(batch_result& result);

  [[nodiscard]] core::tensor_view slots() const noexcept;

  const batch_ring_config* config_;
  ring_memory* memory_;
  kernels::device* device_;
  lane_layout layout_;
  std::array<std::int64_t, 4> shape_; ///< of all slots

  kernels::stream_ptr copy_;
  kernels::stream_ptr compute_;
  std::array<kernels::event_ptr, points> points_;
  kernels::buffer tensor_;
  kernels::buffer table_;
  kernels::buffer workspace_;
  kernels::buffer home_; ///< pinned: where table or outputs arrive
  frame_staging staging_;

  bool busy_ = false;
  bool uploads_ = false; ///< whether the batch has frames from host memory
  std::vector<core::frame_ptr> frames_;
  std::vector<batch_result::item> items_;
  std::vector<admitted> admitted_;
  std::vector<core::frame_view> views_; ///< of admitted frames, on the device
  std::vector<kernels::geometry> geometries_;
  outputs outputs_;
  std::vector<host_output> host_outputs_;
  std::future<void> notified_;
};

} // namespace penstock::inference
