#include "actors/preprocess.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace penstock::actors {

namespace {

/// Streams of so many different sizes share an actor before tables are made anew.
constexpr std::size_t most_plans = 16;

} // namespace

core::expected<const kernels::preprocess_plan*> preprocess_state::plan_for(const core::frame_view& frame) {
  const auto found = std::ranges::find_if(plans_, [&](const auto& plan) { return plan.serves(frame); });
  if (found != plans_.end()) {
    std::rotate(plans_.begin(), found, found + 1);
    return &plans_.front();
  }
  auto made = kernels::preprocess_plan::make(config.spec, frame);
  if (!made) return tl::unexpected{made.error()};
  if (plans_.size() == most_plans) plans_.pop_back();
  plans_.insert(plans_.begin(), std::move(*made));
  workspace_.resize(std::max(workspace_.size(), plans_.front().workspace_bytes()));
  return &plans_.front();
}

core::expected<filled_slot> preprocess_state::run(const frame_task& task) {
  const auto began = core::clock::now();
  const auto plan = plan_for(task.frame->view);
  if (!plan) return tl::unexpected{plan.error()};
  filled_slot filled{
      config.ring->acquire(), task.id, (*plan)->geometry(), task.times, task.live, task.credit, task.mark};
  if (auto done = (*plan)->run(task.frame->view, filled.slot.batch->slot(filled.slot.index), workspace_); !done) {
    // The plan was made for this very frame and slot.
    throw std::logic_error{"preprocess: " + done.error().message};
  }
  filled.times.preprocess = std::chrono::duration_cast<std::chrono::microseconds>(core::clock::now() - began);
  const auto spent = core::seconds{filled.times.preprocess}.count();
  config.metrics.busy.add(spent);
  config.metrics.duration.observe(spent);
  config.metrics.items.add();
  return filled;
}

preprocess_actor::behavior_type preprocess(preprocess_actor::stateful_pointer<preprocess_state> self,
                                           const preprocess_config& config, const slot_taker& next,
                                           const outcome_inbox& worker) {
  self->state.config = config;
  return {
      [self, next, worker](const frame_task& task) {
        self->state.config.metrics.queue.add(-1);
        if (is_called_off(task.mark)) return;
        if (auto filled = self->state.run(task)) {
          self->send(next, std::move(*filled));
          return;
        } else {
          spdlog::warn("preprocess: {}", filled.error().message);
        }
        self->send(worker, frame_outcomes{{core::dropped_outcome(task.id, core::drop_reason::unsupported)}});
      },
  };
}

} // namespace penstock::actors
