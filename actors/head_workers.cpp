#include <spdlog/spdlog.h>
#include <utility>

#include "actors/head.hpp"

namespace penstock::actors {

void head_state::tell_worker(core::worker_id worker, std::string_view what) const {
  const auto at = workers_.find(worker);
  if (at != workers_.end() && config_.observer.worker) config_.observer.worker(at->second.name, what);
}

void head_state::on(const worker_hello& message) {
  if (const auto at = workers_.find(message.worker); at != workers_.end()) {
    at->second.bulk_segments = message.bulk_segments;
    at->second.live_streams = message.live_streams;
  }
  core_->worker_joined(message.worker, {message.bulk_segments, message.live_streams}, core::clock::now(), actions_);
  carry_out();
}

void head_state::on(const worker_joined& message) {
  const auto now = core::clock::now();
  forget_machine(message.name);
  workers_[message.worker] = {.handle = message.handle,
                              .name = message.name,
                              .stages = message.stages,
                              .bulk_segments = message.bulk_segments,
                              .live_streams = message.live_streams,
                              .role = message.role,
                              .metrics = message.metrics,
                              .heard = now};
  pools_->heard(message.role, message.name, {}, now);
  tell_worker(message.worker, "joined");
  core_->worker_joined(message.worker, {message.bulk_segments, message.live_streams}, core::clock::now(), actions_);
  carry_out();
}

void head_state::on(const worker_alive& message) {
  const auto now = core::clock::now();
  if (const auto at = workers_.find(message.worker); at != workers_.end()) {
    auto& worker = at->second;
    worker.heard = now;
    if (auto figures = message.figures) {
      if (worker.phase == core::worker_phase::draining) figures->phase = worker.phase;
      pools_->heard(worker.role, worker.name, *figures, now);
    }
  }
  core_->worker_heartbeat(message.worker, now);
}

void head_state::on(const worker_leaving& message) {
  if (const auto at = workers_.find(message.worker); at != workers_.end())
    at->second.phase = core::worker_phase::draining;
  tell_worker(message.worker, "draining");
  core_->worker_draining(message.worker, core::clock::now(), actions_);
  carry_out();
  if (gate_) self_->send(gate_, leases_ended{message.worker});
}

void head_state::on(const worker_gone& message) {
  tell_worker(message.worker, "gone");
  const auto gone = workers_.extract(message.worker);
  if (!gone) return;
  pools_->gone(gone.mapped().role, gone.mapped().name, !message.excused, core::clock::now());
  spdlog::info("worker {} is gone: {}", message.worker.value, message.why);
  core_->worker_lost(message.worker, core::clock::now(), actions_, message.excused);
  carry_out();
}

void head_state::on(const worker_returned& message) { core_->worker_returned(message.worker); }

void head_state::on(const worker_credit& message) {
  core_->worker_credit(message.worker, message.segments, core::clock::now(), actions_);
  carry_out();
}

void head_state::on(const frame_outcomes& message) {
  const auto now = core::clock::now();
  for (auto outcome : message.outcomes) core_->outcome(std::move(outcome), now, actions_);
  carry_out();
}

void head_state::on(const segment_done& message) {
  core_->segment_done(message.worker, message.segment, core::clock::now(), actions_);
  carry_out();
}

void head_state::on(const segment_failed& message) {
  const auto& id = message.segment;
  if (const auto* stream = find_stream(id.stream)) {
    spdlog::warn("stream {}: segment {} failed: {}", stream->source.id, id.number, message.reason.message);
    note_failure(message);
  } else if (pictures_.contains(id.stream.value)) {
    spdlog::warn("a picture failed: {}", message.reason.message);
  }
  core_->segment_failed(message.worker, id, message.reason, core::clock::now(), actions_);
  carry_out();
}

} // namespace penstock::actors
