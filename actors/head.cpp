#include "actors/head.hpp"

#include <algorithm>
#include <caf/actor_cast.hpp>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/resume.hpp"
#include "actors/whole_ms.hpp"

namespace penstock::actors {

namespace {

constexpr std::chrono::milliseconds tick_interval{100};

/// How long sinks may take once everything else has ended.
constexpr std::chrono::seconds sink_patience{2};

dispatch::head_config core_of(const topology::config& topology) {
  dispatch::head_config config;
  config.dispatcher.lease_timeout = whole_ms(topology.dispatch.lease_timeout);
  config.dispatcher.stall_timeout = whole_ms(topology.dispatch.stall_timeout);
  config.dispatcher.attempts = static_cast<std::uint32_t>(topology.dispatch.attempts);
  config.dispatcher.requests_per_worker = static_cast<std::uint32_t>(topology.dispatch.requests);
  config.dispatcher.segment_retain_bytes = static_cast<std::size_t>(topology.dispatch.retain);
  for (const auto& sink : topology.sinks)
    config.collector.sink_window = std::min(config.collector.sink_window, static_cast<std::size_t>(sink.queue));
  return config;
}

} // namespace

void head_state::configure(head_actor::pointer self, const head_config& config) {
  self_ = self;
  config_ = config;
  auto core_with = core_of(config.topology);
  core_with.epoch = config.epoch;
  core_.emplace(core_with);
  series_ = config.metrics->dispatch();
  for (const auto& source : config.streams) {
    const core::stream_id id{static_cast<std::uint32_t>(streams_.size())};
    auto& stream = new_stream(id, source, source.id);
    last_id_ = id.value;
    if (!config.checkpoint) continue;
    stream.keeps_notes = can_go_on(source);
    stream.notes.progress = config.progress.at(id.value);
    if (!stream.notes.progress.finished) continue;
    stream.report.phase = stream_phase::finished;
    stream.report.finished_before = true;
  }
  const auto& topology = config.topology;
  if (!topology.quarantine.empty()) {
    quarantine_ = std::make_unique<quarantine_writer>(
        quarantine_config{topology.quarantine, static_cast<std::uint64_t>(topology.limits.quarantine_segments),
                          static_cast<std::uint64_t>(topology.limits.quarantine_bytes), series_.quarantine_refused});
  }
  configure_pushes();
  configure_signals();
  if (config.door) pictures_ledger_ = account{config.metrics->stream(std::string{pictures_account_name})};
  publish();
}

void head_state::start(const head_start& message) {
  for (const auto& [id, handle] : message.workers) {
    auto& worker = workers_[id];
    worker.handle = handle;
    worker.name = "local";
    worker.role = config_.role.empty() ? role_without_name : config_.role;
    for (const auto each : metrics::all_stages) worker.stages.emplace_back(metrics::to_string(each));
    local_.push_back(id);
  }
  figures_ = message.figures;
  gate_ = message.gate;
  pushes_ = message.pushes;
  for (const auto& actor : message.watched) self_->monitor(caf::actor_cast<caf::actor>(actor));
  open_waiting();
  finish_if_done();
  tick();
}

void head_state::open_waiting() {
  const auto limited = [](const head_stream& stream) { return stream.report.finite && stream.report.lossless; };
  std::size_t open = 0;
  for (const auto& [id, stream] : streams_) {
    const auto phase = stream.report.phase;
    if (limited(stream) && phase != stream_phase::waiting && phase != stream_phase::finished) ++open;
  }
  for (auto& [id, stream] : streams_) {
    if (stream.report.phase != stream_phase::waiting) continue;
    if (limited(stream)) {
      if (open >= static_cast<std::size_t>(config_.topology.limits.open_streams)) continue;
      ++open;
    }
    open_source(id, stream);
  }
}

void head_state::finish_if_done() {
  if ((config_.ingest_any || config_.stays) && !stop_deadline_) return; // more may come
  const bool all_finished = pictures_.empty() && std::ranges::all_of(streams_, [](const auto& each) {
                              return each.second.report.phase == stream_phase::finished;
                            });
  if (all_finished && !finished_) {
    finished_ = true;
    quarantine_.reset(); // writes what waits
    save_checkpoint();
    export_metrics();
    publish();
    config_.on_finished();
  }
}

void head_state::shut_down(const head_shutdown& message) {
  const auto now = core::clock::now();
  stop_deadline_ = now + message.grace;
  for (auto& [id, stream] : streams_) {
    if (stream.report.phase == stream_phase::waiting) finish_stream(id, stream);
    if (stream.report.phase == stream_phase::opening && is_pushed(stream)) on(source_ended{id, std::nullopt});
    stream.stop.request_stop();
    if (stream.report.phase != stream_phase::running || std::exchange(stream.ended, true)) continue;
    if (stream.keeps_notes && stream.notes.progress.begun)
      core_->cancel(id, now, actions_); // the next life does what is left
    else
      core_->finish(id, now, actions_);
  }
  if (message.grace <= message.grace.zero()) core_->shutdown(now, now, actions_);
  carry_out();
  finish_if_done();
}

void head_state::tick() {
  const auto now = core::clock::now();
  for (const auto id : local_) core_->worker_heartbeat(id, now);
  if (stop_deadline_ && now >= *stop_deadline_) core_->shutdown(now, now, actions_);
  if (stop_deadline_ && now >= *stop_deadline_ + sink_patience) abandon();
  core_->tick(now, actions_);
  carry_out();
  if (!finished_) save_checkpoint();
  forget_guests();
  export_metrics();
  publish();
  if (!finished_) self_->delayed_send(self_, tick_interval, head_tick{});
}

void head_state::abandon() {
  const auto now = core::clock::now();
  for (auto& [id, stream] : streams_) {
    if (stream.report.phase == stream_phase::running) {
      const auto settled = stream.acks.give_up();
      core_->acknowledged(id, settled.delivered, settled.failed, now, actions_, core::drop_reason::shutdown);
    } else if (stream.report.phase == stream_phase::closing || stream.report.phase == stream_phase::opening) {
      const bool source_hangs = stream.report.phase == stream_phase::opening && stream.notes.sinks_unheard == 0;
      spdlog::error("stream {}: {}", stream.source.id,
                    source_hangs ? "its source hangs while it is opened" : "a sink did not finish in time");
      abandoned_ = true;
      finish_stream(id, stream);
    }
  }
}

void head_state::worker_ended(const caf::down_msg& down) {
  if (!down.reason) return;
  const auto what = self_->system().render(down.reason);
  for (auto& [id, stream] : streams_) {
    if (!stream.reader || stream.reader.address() != down.source) continue;
    on(source_ended{id, core::error{core::errc::internal, "the source's actor ended: " + what}});
    return;
  }
  if (finished_) return;
  failure_ = "a stage of the pipeline ended: " + what;
  spdlog::critical("{}", *failure_);
  shut_down({});
}

head_actor::behavior_type head(head_actor::stateful_pointer<head_state> self, const head_config& config) {
  self->state.configure(self, config);
  self->set_down_handler([self](const caf::down_msg& down) { self->state.worker_ended(down); });
  const auto forward = [self](const auto& message) { self->state.on(message); };
  return {
      [self](const head_start& message) { self->state.start(message); },
      [self](const head_shutdown& message) { self->state.shut_down(message); },
      [self](const head_tick&) { self->state.tick(); },
      [forward](const worker_hello& message) { forward(message); },
      [forward](const worker_credit& message) { forward(message); },
      [forward](const frame_outcomes& message) { forward(message); },
      [forward](const segment_done& message) { forward(message); },
      [forward](const segment_failed& message) { forward(message); },
      [forward](const push_opening& message) { forward(message); },
      [forward](const source_opened& message) { forward(message); },
      [forward](const source_packets& message) { forward(message); },
      [forward](const source_trouble& message) { forward(message); },
      [forward](const source_ended& message) { forward(message); },
      [forward](const sink_ack& message) { forward(message); },
      [forward](const sink_closed& message) { forward(message); },
      [forward](const sink_resumed& message) { forward(message); },
      [forward](const worker_joined& message) { forward(message); },
      [forward](const worker_alive& message) { forward(message); },
      [forward](const worker_leaving& message) { forward(message); },
      [forward](const machine_seen& message) { forward(message); },
      [forward](const machine_gone& message) { forward(message); },
      [forward](const jobs_waiting& message) { forward(message); },
      [forward](const worker_gone& message) { forward(message); },
      [forward](const worker_returned& message) { forward(message); },
      [forward](const picture_ask& message) { forward(message); },
      [forward](const picture_gone& message) { forward(message); },
      [forward](const guest_ask& message) { forward(message); },
      [forward](const guest_leave& message) { forward(message); },
      [forward](const preview_ask& message) { forward(message); },
      [forward](const preview_taken& message) { forward(message); },
      [forward](const preview_over& message) { forward(message); },
  };
}

} // namespace penstock::actors
