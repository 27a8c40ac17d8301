#include "actors/device_lane.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock::actors {

namespace {

/// Why a frame is dropped that keeps no other from its objects.
core::drop_reason reason_of(const core::error& error) {
  return error.code == core::errc::too_large ? core::drop_reason::too_large : core::drop_reason::unsupported;
}

void count(const metrics::stage_series& series, std::chrono::microseconds busy, std::size_t items, std::size_t parts) {
  const auto seconds = core::seconds{busy}.count();
  series.busy.add(seconds);
  series.items.add(static_cast<double>(items));
  for (std::size_t i = 0; i < parts; ++i) series.duration.observe(seconds / static_cast<double>(parts));
}

} // namespace

void device_lane_state::begin(std::vector<frame_task> tasks) {
  parts_.push_back({std::move(tasks), false});
  go_on();
}

void device_lane_state::finish() {
  auto result = config.ring->collect(lane);
  if (result) {
    answer(parts_.front(), std::move(*result));
    parts_.pop_front();
  } else {
    fail(result.error());
  }
  go_on();
}

void device_lane_state::go_on() {
  while (!parts_.empty()) {
    std::vector<core::frame_ptr> frames;
    for (const auto& task : parts_.front().tasks) frames.push_back(task.frame);
    const auto started = config.ring->start(lane, std::move(frames), done);
    if (started) return;
    fail(started.error());
  }
}

void device_lane_state::fail(const core::error& error) {
  auto failed = std::move(parts_.front());
  parts_.pop_front();
  const auto n = failed.tasks.size();
  if (!failed.again) {
    spdlog::error("inference: a batch of {} failed: {}", n, error.message);
    config.batches.failures.add();
  }
  if (n == 1) {
    config.inference.items.add();
    outcomes.push_back(core::dropped_outcome(failed.tasks.front().id, core::drop_reason::engine_error));
    return;
  }
  for (auto task = failed.tasks.rbegin(); task != failed.tasks.rend(); ++task)
    parts_.push_front({{std::move(*task)}, true});
}

void device_lane_state::answer(const part& which, inference::batch_result result) {
  const auto n = which.tasks.size();
  const auto images = static_cast<std::int64_t>(n);
  const auto preprocess = result.upload + result.preprocess;
  count(config.preprocess, preprocess, n, n);
  count(config.inference, result.inference, n, 1);
  count(config.postprocess, result.postprocess, n, n);
  for (std::size_t i = 0; i < n; ++i) {
    auto& item = result.items.at(i);
    const auto& task = which.tasks[i];
    if (!item.objects) {
      spdlog::warn("inference: {}", item.objects.error().message);
      outcomes.push_back(core::dropped_outcome(task.id, reason_of(item.objects.error())));
      continue;
    }
    core::frame_outcome outcome;
    outcome.id = task.id;
    outcome.times = task.times;
    outcome.times.preprocess = preprocess / images;
    outcome.times.inference = result.inference;
    outcome.times.postprocess = result.postprocess / images;
    outcome.width_px = item.geometry.source_width_px;
    outcome.height_px = item.geometry.source_height_px;
    outcome.objects = std::move(*item.objects);
    outcomes.push_back(std::move(outcome));
  }
}

device_lane_actor::behavior_type device_lane(device_lane_actor::stateful_pointer<device_lane_state> self,
                                             const device_lane_config& config, std::uint32_t lane,
                                             const device_batcher_actor& batches, const outcome_inbox& worker) {
  self->state.config = config;
  self->state.lane = lane;
  self->state.done = [to = device_lane_actor{self}.address()] {
    if (const auto actor = caf::actor_cast<device_lane_actor>(to)) caf::anon_send(actor, device_done{});
  };
  const auto report = [self, lane, batches, worker] {
    auto& state = self->state;
    if (!state.outcomes.empty()) self->send(worker, frame_outcomes{std::exchange(state.outcomes, {})});
    if (state.idle()) self->send(batches, lane_idle{lane});
  };
  return {
      [self, report](const device_batch& batch) {
        self->state.begin(batch.tasks);
        report();
      },
      [self, report](const device_done&) {
        self->state.finish();
        report();
      },
  };
}

} // namespace penstock::actors
