#include "actors/device_batcher.hpp"

#include <algorithm>
#include <utility>

namespace penstock::actors {

lane_feeder::lane_feeder(device_batcher_config config, std::size_t lanes) : config_{std::move(config)} {
  for (std::size_t i = lanes; i-- > 0;) idle_.push_back(static_cast<std::uint32_t>(i));
}

void lane_feeder::add(const frame_task& task, core::time_point now) {
  frames_.push_back({task, now});
  config_.arriving.queue.add(-1);
  config_.metrics.queue.add(1);
}

std::optional<device_batch> lane_feeder::next(core::time_point now) {
  config_.metrics.queue.add(
      -static_cast<double>(std::erase_if(frames_, [](const auto& f) { return is_called_off(f.task.mark); })));
  if (idle_.empty() || frames_.empty()) return std::nullopt;
  const auto n = std::min(frames_.size(), config_.batch);
  if (n < config_.batch && now - frames_.front().since < config_.wait) return std::nullopt;
  device_batch batch{idle_.back(), {}};
  idle_.pop_back();
  batch.tasks.reserve(n);
  for (std::size_t i = 0; i < n; ++i) batch.tasks.push_back(std::move(frames_[i].task));
  frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(n));
  config_.metrics.queue.add(-static_cast<double>(n));
  config_.batches.batch.observe(static_cast<double>(n));
  return batch;
}

std::optional<core::time_point> lane_feeder::deadline() const {
  if (idle_.empty() || frames_.empty()) return std::nullopt;
  return frames_.front().since + config_.wait;
}

namespace {

void run_ready(device_batcher_actor::stateful_pointer<device_batcher_state> self) {
  auto& state = self->state;
  const auto now = core::clock::now();
  while (auto batch = state.feeder.next(now)) {
    const auto lane = batch->lane;
    self->send(state.lanes[lane], std::move(*batch));
  }
  if (const auto deadline = state.feeder.deadline()) {
    const auto delay = std::max(*deadline - now, core::clock::duration{0});
    self->delayed_send(self, delay, batch_timer{++state.timer_generation});
  }
}

} // namespace

device_batcher_actor::behavior_type device_batcher(device_batcher_actor::stateful_pointer<device_batcher_state> self,
                                                   const device_batcher_config& config, std::size_t lanes,
                                                   const lane_factory& make_lane) {
  auto& state = self->state;
  state.feeder = lane_feeder{config, lanes};
  for (std::uint32_t i = 0; i < lanes; ++i) {
    state.lanes.push_back(make_lane(self, i));
    self->link_to(state.lanes.back());
  }
  return {
      [self](const frame_task& task) {
        self->state.feeder.add(task, core::clock::now());
        run_ready(self);
      },
      [self](const lane_idle& message) {
        self->state.feeder.idle(message.lane);
        run_ready(self);
      },
      [self](const batch_timer& timer) {
        if (timer.generation == self->state.timer_generation) run_ready(self);
      },
  };
}

} // namespace penstock::actors
