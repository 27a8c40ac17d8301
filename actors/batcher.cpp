#include "actors/batcher.hpp"

#include <algorithm>
#include <utility>

namespace penstock::actors {

batch_former::batch_former(batcher_config config, std::size_t instances) : config_{std::move(config)} {
  for (std::size_t i = instances; i-- > 0;) idle_.push_back(static_cast<std::uint32_t>(i));
}

void batch_former::add(const filled_slot& slot, core::time_point now) {
  auto at = std::ranges::find(filling_, slot.slot.batch, &filling::batch);
  if (at == filling_.end()) {
    filling_.push_back({slot.slot.batch, {}, slot.slot.batch->capacity(), false, false, now});
    at = std::prev(filling_.end());
  }
  at->items.push_back(slot);
  at->live = at->live || slot.live;
  config_.metrics.queue.add(1);
}

void batch_former::done(const batch_done& message) {
  config_.ring->release(message.batch);
  idle_.push_back(message.instance);
}

std::optional<batch_task> batch_former::next(core::time_point now) {
  for (auto at = filling_.begin(); at != filling_.end(); ++at) {
    if (idle_.empty()) return std::nullopt;
    const bool unreserved = idle_.size() > reserved_;
    if (!at->sealed_early && at->items.size() < at->expected && unreserved && now - at->since >= config_.wait) {
      at->expected = config_.ring->seal(at->batch);
      at->sealed_early = true;
      ++reserved_;
    }
    if (at->items.size() == at->expected && (at->sealed_early || unreserved)) {
      auto task = start(at);
      if (!task.items.empty()) return task;
      done({task.instance, std::move(task.batch)});
      return next(now);
    }
  }
  return std::nullopt;
}

namespace {

/// Leaves the images out that nobody waits for any more.
void close_up(batch_task& task) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    if (is_called_off(task.items[i].mark)) continue;
    if (kept < i) {
      task.batch->move(i, kept);
      task.items[kept] = std::move(task.items[i]);
    }
    ++kept;
  }
  task.items.resize(kept);
}

} // namespace

batch_task batch_former::start(std::deque<filling>::iterator at) {
  if (at->sealed_early) --reserved_;
  batch_task task{idle_.back(), std::move(at->batch), std::move(at->items)};
  idle_.pop_back();
  filling_.erase(at);
  std::ranges::sort(task.items, {}, [](const filled_slot& item) { return item.slot.index; });
  config_.metrics.queue.add(-static_cast<double>(task.items.size()));
  close_up(task);
  for (auto& item : task.items) {
    item.slot.batch.reset();
    item.credit.reset();
  }
  if (!task.items.empty()) config_.batches.batch.observe(static_cast<double>(task.items.size()));
  return task;
}

bool batch_former::gathering(core::time_point now) const {
  if (filling_.empty() || now - filling_.front().since >= config_.burst.longest) return false;
  const bool any_live = std::ranges::any_of(filling_, [](const filling& f) { return f.live; });
  return !any_live && config_.burst.cores_are_decoding();
}

std::optional<core::time_point> batch_former::deadline() const {
  if (idle_.size() <= reserved_) return std::nullopt;
  for (const auto& f : filling_) {
    if (!f.sealed_early && f.items.size() < f.expected) return f.since + config_.wait;
  }
  return std::nullopt;
}

namespace {

void run_ready(batcher_actor::stateful_pointer<batcher_state> self) {
  auto& state = self->state;
  const auto now = core::clock::now();
  if (state.former.gathering(now)) {
    if (!std::exchange(state.asking_again, true)) self->send(self, batch_again{});
    return;
  }
  while (auto task = state.former.next(now)) {
    const auto instance = task->instance;
    self->send(state.instances[instance], std::move(*task));
  }
  if (const auto deadline = state.former.deadline()) {
    const auto delay = std::max(*deadline - now, core::clock::duration{0});
    self->delayed_send(self, delay, batch_timer{++state.timer_generation});
  }
}

} // namespace

batcher_actor::behavior_type batcher(batcher_actor::stateful_pointer<batcher_state> self, const batcher_config& config,
                                     std::size_t instances, const instance_factory& make_instance) {
  auto& state = self->state;
  state.former = batch_former{config, instances};
  for (std::uint32_t i = 0; i < instances; ++i) {
    state.instances.push_back(make_instance(self, i));
    self->link_to(state.instances.back());
  }
  return {
      [self](const filled_slot& slot) {
        self->state.former.add(slot, core::clock::now());
        run_ready(self);
      },
      [self](const batch_done& message) {
        self->state.former.done(message);
        run_ready(self);
      },
      [self](const batch_timer& timer) {
        if (timer.generation == self->state.timer_generation) run_ready(self);
      },
      [self](const batch_again&) {
        self->state.asking_again = false;
        run_ready(self);
      },
  };
}

} // namespace penstock::actors
