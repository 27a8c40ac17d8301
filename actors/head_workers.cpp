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
  workers_[message.worker] = {message.handle,       message.name, message.stages,    message.bulk_segments,
                              message.live_streams, false,        core::clock::now()};
  tell_worker(message.worker, "joined");
  core_->worker_joined(message.worker, {message.bulk_segments, message.live_streams}, core::clock::now(), actions_);
  carry_out();
}

void head_state::on(const worker_alive& message) {
  const auto now = core::clock::now();
  if (const auto at = workers_.find(message.worker); at != workers_.end()) at->second.heard = now;
  core_->worker_heartbeat(message.worker, now);
}

void head_state::on(const worker_leaving& message) {
  if (const auto at = workers_.find(message.worker); at != workers_.end()) at->second.draining = true;
  tell_worker(message.worker, "draining");
  core_->worker_draining(message.worker, core::clock::now(), actions_);
  carry_out();
  if (gate_) self_->send(gate_, leases_ended{message.worker});
}

void head_state::on(const worker_gone& message) {
  tell_worker(message.worker, "gone");
  if (workers_.erase(message.worker) == 0) return;
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
