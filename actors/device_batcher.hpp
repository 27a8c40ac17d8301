#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "actors/messages.hpp"
#include "actors/preprocess.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// Collects decoded frames of any streams into batches for the idle lanes of a device, where everything between frames
/// and objects happens. A `preprocess_actor` for those who send frames.
using device_batcher_actor =
    caf::typed_actor<caf::reacts_to<frame_task>, caf::reacts_to<lane_idle>, caf::reacts_to<batch_timer>>;

/// Takes one batch at a time through the device.
using device_lane_actor = caf::typed_actor<caf::reacts_to<device_batch>, caf::reacts_to<device_done>>;

struct device_batcher_config {
  std::size_t batch = 1;                ///< most frames of one
  std::chrono::microseconds wait{4000}; ///< how long the first frame of a batch waits for others
  metrics::stage_series arriving;       ///< of preprocess, whose queue frames come from
  metrics::stage_series metrics;        ///< of inference, whose queue they wait in
  metrics::inference_series batches;
};

/// The batcher without its actor: frames, idle lanes and a time in, batches out. A batch runs when it is full, or when
/// its first frame has waited long enough, and a lane is idle.
class lane_feeder {
 public:
  lane_feeder() = default;
  lane_feeder(device_batcher_config config, std::size_t lanes);

  void add(const frame_task& task, core::time_point now);
  void idle(std::uint32_t lane) { idle_.push_back(lane); }

  /// The next batch that shall run now; call until empty.
  [[nodiscard]] std::optional<device_batch> next(core::time_point now);

  /// When `next` should be asked again though nothing happened; empty when there is no need.
  [[nodiscard]] std::optional<core::time_point> deadline() const;

 private:
  struct waiting {
    frame_task task;
    core::time_point since;
  };

  device_batcher_config config_;
  std::deque<waiting> frames_; ///< oldest first
  std::vector<std::uint32_t> idle_;
};

struct device_batcher_state {
  static inline const char* name = "device_batcher";

  lane_feeder feeder;
  std::vector<device_lane_actor> lanes;
  std::uint64_t timer_generation = 0;
};

/// Lanes are spawned by the batcher itself, by `make_lane(batcher, index)`, and end with it.
using lane_factory = std::function<device_lane_actor(const device_batcher_actor&, std::uint32_t)>;

device_batcher_actor::behavior_type device_batcher(device_batcher_actor::stateful_pointer<device_batcher_state> self,
                                                   const device_batcher_config& config, std::size_t lanes,
                                                   const lane_factory& make_lane);

} // namespace penstock::actors
