#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "actors/device_batcher.hpp"
#include "inference/batch_ring.hpp"

namespace penstock::actors {

struct device_lane_config {
  std::shared_ptr<inference::batch_ring> ring;
  metrics::stage_series preprocess;
  metrics::stage_series inference;
  metrics::stage_series postprocess;
  metrics::inference_series batches;
};

/// One lane of the device. Frames and their credits are kept until their outcomes are there.
struct device_lane_state {
  static inline const char* name = "device_lane";

  /// Puts a batch on the device; `done` is to call `finish`. Precondition: `idle()`.
  void begin(std::vector<frame_task> tasks);

  /// Takes what has become of the batch. One that failed is tried image by image, so that a bad one costs no other.
  void finish();

  [[nodiscard]] bool idle() const noexcept { return parts_.empty(); }

  device_lane_config config;
  std::uint32_t lane = 0;
  std::function<void()> done;                ///< called from a thread of the device
  std::vector<core::frame_outcome> outcomes; ///< to be sent on

 private:
  struct part {
    std::vector<frame_task> tasks;
    bool again = false; ///< an image of a batch that failed
  };

  void go_on();
  void fail(const core::error& error);
  void answer(const part& which, inference::batch_result result);

  std::deque<part> parts_; ///< the first one is on the device
};

/// Detached, since an engine may block.
device_lane_actor::behavior_type device_lane(device_lane_actor::stateful_pointer<device_lane_state> self,
                                             const device_lane_config& config, std::uint32_t lane,
                                             const device_batcher_actor& batches, const outcome_inbox& worker);

} // namespace penstock::actors
