#include "actors/head.hpp"

#include <algorithm>
#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/resume.hpp"

namespace penstock::actors {

namespace {

constexpr std::chrono::milliseconds tick_interval{100};

/// A thread for each sink of thousands of streams would be too many: those beyond share the scheduler's.
constexpr std::size_t most_sinks_with_threads = 256;

/// How long sinks may take once everything else has ended.
constexpr std::chrono::seconds sink_patience{2};

std::chrono::milliseconds whole_ms(topology::duration d) {
  return std::max(std::chrono::milliseconds{1}, std::chrono::duration_cast<std::chrono::milliseconds>(d));
}

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

head_stream& head_state::new_stream(core::stream_id id, const topology::stream_source& source,
                                    const std::string& series) {
  auto& stream = streams_[id];
  stream.source = source;
  stream.report.id = source.id;
  stream.report.uri = topology::display_uri(source.uri);
  stream.report.lossless = source.policy == topology::stream_policy::lossless;
  stream.report.finite = source.finite;
  stream.series = config_.metrics->stream(series);
  return stream;
}

/// Ids come again after four thousand million others, if at all.
core::stream_id head_state::next_id() {
  do ++last_id_;
  while (last_id_ == core::stream_id{UINT32_MAX}.value || streams_.contains({last_id_}) ||
         pictures_.contains(last_id_));
  return {last_id_};
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

void head_state::open_source(core::stream_id id, head_stream& stream) {
  stream.report.phase = stream_phase::opening;
  if (is_pushed(stream)) return; // its producer comes by itself
  source_config config;
  config.stream = id;
  config.open.uri = stream.source.uri;
  config.open.max_pixels = static_cast<std::uint64_t>(config_.topology.media.max_pixels);
  config.open.transport = stream.source.transport == topology::rtsp_transport::udp ? media::rtsp_transport::udp
                                                                                   : media::rtsp_transport::tcp;
  config.open.stop = stream.stop.get_token();
  config.live = !stream.report.lossless;
  config.finite = stream.source.finite;
  config.backoff.first = whole_ms(stream.source.reconnect.min);
  config.backoff.longest = whole_ms(stream.source.reconnect.max);
  config.jitter_seed = core::mix(id.value + 1);
  stream.reader = self_->spawn<caf::detached>(source, config, source_outlet{self_});
  self_->monitor(stream.reader);
}

dispatch::stream_config head_state::core_config(const head_stream& stream, core::codec_ptr codec) const {
  const auto& topology = config_.topology;
  dispatch::stream_config config;
  config.limits.policy = stream.report.lossless ? dispatch::stream_policy::lossless : dispatch::stream_policy::live;
  config.limits.queue = static_cast<std::size_t>(topology.live.queue);
  config.limits.max_lag = whole_ms(topology.live.max_lag);
  config.limits.steal_after = whole_ms(topology.dispatch.steal_after);
  config.limits.read_ahead = static_cast<std::size_t>(topology.dispatch.read_ahead.packets);
  config.limits.read_ahead_bytes = static_cast<std::size_t>(topology.dispatch.read_ahead.bytes);
  config.codec = std::move(codec);
  config.sample_frames_per_s = stream.source.sample_fps;
  // A picture is a segment of its own; video of keyframes only is leased in small groups.
  config.min_segment_packets = stream.source.kind == topology::source_kind::pictures ? 1 : 8;
  return config;
}

void head_state::open_sinks(core::stream_id id, head_stream& stream, const core::codec_description& codec) {
  if (stream.output) {
    open_output(id, stream);
    return;
  }
  const auto& configs = config_.topology.sinks;
  stream.acks = ack_book{configs.size()};
  for (std::size_t i = 0; i < configs.size(); ++i) {
    sink_config config;
    config.stream = id;
    config.number = i;
    config.kind = find_sink_kind(configs[i].kind);
    config.context.stream = stream.source.id;
    config.context.path = topology::sink_path(configs[i], stream.source.id);
    config.context.labels = config_.labels;
    if (stream.notes.progress.begun) config.context.resume_seq = stream.notes.progress.seq;
    const double rate = codec.frames_per_s > 0 ? codec.frames_per_s : 25;
    const double sampled = stream.source.sample_fps > 0 ? std::min(stream.source.sample_fps, rate) : rate;
    config.context.frames_per_s = configs[i].fps.value_or(sampled);
    config.decode = config_.decode;
    config.metrics = config_.metrics->sink(configs[i].kind);
    stream.needs_frames = stream.needs_frames || config.kind->needs_frames;
    if (i < config_.publishers.size()) config.context.publisher = config_.publishers[i];
    stream.report.outputs.push_back(config.context.publisher ? config.context.publisher->address()
                                                             : config.context.path.string());
    const bool own_thread = !config.kind->never_blocks && sinks_with_threads_ < most_sinks_with_threads;
    if (own_thread) ++sinks_with_threads_;
    stream.sinks.push_back(own_thread ? self_->spawn<caf::detached>(sink, config, sink_outlet{self_})
                                      : self_->spawn(sink, config, sink_outlet{self_}));
    stream.sink_configs.push_back(std::move(config));
  }
  stream.sinks_open = stream.sinks.size();
  if (stream.notes.progress.begun) stream.notes.sinks_unheard = stream.sinks.size();
}

void head_state::begin_closing(core::stream_id id, head_stream& stream) {
  stream.report.phase = stream_phase::closing;
  stream.report.ledger = core_->collecting().ledger_of(id);
  for (const auto& sink : stream.sinks) self_->send(sink, sink_close{});
  if (stream.sinks.empty()) finish_stream(id, stream);
}

void head_state::finish_stream(core::stream_id id, head_stream& stream) {
  stream.report.phase = stream_phase::finished;
  if (stream.reader) {
    self_->demonitor(stream.reader.address());
    self_->send_exit(stream.reader, caf::exit_reason::user_shutdown); // it may wait for grants that never come
    stream.reader = nullptr;
  }
  stream.sinks.clear();
  stream.tracker.reset();
  stream.forwarded.clear();
  stream.failures.clear();
  note_finished(stream);
  note_job(stream);
  close_preview(stream);
  export_stream(id, stream);
  core_->remove_stream(id);
  if (config_.observer.stream) config_.observer.stream(stream.report);
  if (stream.output) std::exchange(stream.output, nullptr)->ended({stream.report.ledger, stream.report.error});
  if (is_pushed(stream) && pushes_) self_->send(pushes_, push_finished{id, stream.report.ledger});
  if (!stop_deadline_) open_waiting();
  finish_if_done();
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

void head_state::on(const source_opened& message) {
  auto* known = find_stream(message.stream);
  if (known == nullptr) return;
  auto& stream = *known;
  if (stop_deadline_) { // without grants it would not even come to its end
    if (stream.report.phase == stream_phase::opening) finish_stream(message.stream, stream);
    return;
  }
  stream.report.frames = message.frames;
  stream.codec = message.codec;
  const auto& tracking = config_.topology.tracking;
  if (auto made = tracking::make_tracker({tracking.kind, tracking.min_iou, tracking.max_age, tracking.min_hits}))
    stream.tracker = std::move(*made);
  open_sinks(message.stream, stream, *message.codec);
  if (stream.notes.sinks_unheard > 0) return; // they say first where they go on
  begin(message.stream, stream);
  carry_out();
}

void head_state::on(const source_packets& message) {
  auto* known = find_stream(message.stream);
  if (known == nullptr) return;
  auto& stream = *known;
  if (stream.ended || stream.report.phase != stream_phase::running) return;
  const auto now = core::clock::now();
  if (message.codec) core_->set_codec(message.stream, message.codec, now, actions_);
  for (const auto& packet : message.packets) core_->push(message.stream, packet, now, actions_);
  carry_out();
  if (is_pushed(stream) && !stream.report.lossless)
    self_->send(pushes_, push_taken{message.stream, static_cast<std::uint32_t>(message.packets.size())});
}

void head_state::on(const source_trouble& message) {
  auto* known = find_stream(message.stream);
  if (known == nullptr) return;
  auto& stream = *known;
  if (message.reconnecting) {
    stream.series.reconnects.add();
    spdlog::warn("stream {}: {}; trying again", stream.source.id, message.what.message);
  } else {
    spdlog::warn("stream {}: {}", stream.source.id, message.what.message);
  }
}

void head_state::on(const source_ended& message) {
  auto* known = find_stream(message.stream);
  if (known == nullptr) return;
  auto& stream = *known;
  if (message.error) {
    spdlog::error("stream {}: {}", stream.source.id, message.error->message);
    stream.report.error = message.error;
  }
  stream.notes.source_done = !message.error && !stop_deadline_;
  if (stream.report.phase == stream_phase::opening) {
    if (stream.sinks.empty())
      finish_stream(message.stream, stream);
    else
      begin_closing(message.stream, stream);
  } else if (!std::exchange(stream.ended, true)) {
    core_->finish(message.stream, core::clock::now(), actions_);
    carry_out();
  }
}

void head_state::on(const sink_ack& message) {
  auto* known = find_stream(message.stream);
  if (known == nullptr) return;
  auto& stream = *known;
  const auto settled = stream.acks.acknowledged(message.sink, message.written);
  const auto now = core::clock::now();
  note_latencies(stream, settled.captured, now);
  if (settled.delivered > 0 && !std::exchange(stream.notes.sinks_wrote, true)) checkpoint_changed_ = true;
  core_->acknowledged(message.stream, settled.delivered, settled.failed, now, actions_);
  carry_out();
}

void head_state::note_latencies(head_stream& stream, const std::vector<core::time_point>& captured,
                                core::time_point now) {
  for (const auto each : captured) {
    const core::seconds took{now - each};
    stream.series.latency.observe(took.count());
    if (comes_anyway(stream.report)) note_fate(took);
    stream.latency.observe(took, now);
  }
}

void head_state::on(const sink_closed& message) {
  auto* known = find_stream(message.stream);
  if (known == nullptr) return;
  auto& stream = *known;
  if (stream.report.phase != stream_phase::closing) return;
  if (message.error && !stream.report.error) stream.report.error = message.error;
  if (--stream.sinks_open == 0) finish_stream(message.stream, stream);
}

void head_state::publish() {
  run_report report;
  report.failure = failure_;
  report.shutting_down = stop_deadline_.has_value();
  report.abandoned = abandoned_;
  for (const auto& [id, stream] : streams_) report.streams.push_back(stream.report);
  if (config_.door) {
    report.others.push_back({std::string{pictures_account_name}, pictures_ledger_.total()});
    report.others.push_back({std::string{guests_account_name}, guests_ledger_.total()});
  }
  const auto now = core::clock::now();
  for (const auto& [id, worker] : workers_) {
    const auto load = core_->dispatching().load_of(id);
    worker_report w{.name = worker.name,
                    .stages = worker.stages,
                    .role = worker.role,
                    .metrics = worker.metrics,
                    .phase = worker.phase,
                    .bulk = load.bulk,
                    .live = load.live,
                    .requests = load.requests,
                    .credit = load.credit,
                    .bulk_segments = worker.bulk_segments,
                    .live_streams = worker.live_streams,
                    .heard = std::nullopt};
    if (worker.heard != core::time_point{}) w.heard = now - worker.heard;
    report.workers.push_back(std::move(w));
  }
  for (const auto& [id, machine] : machines_) {
    worker_report w;
    w.name = machine.seen.name;
    w.stages = machine.seen.stages;
    w.role = machine.seen.role;
    w.metrics = machine.seen.metrics;
    w.phase = machine.seen.figures.phase;
    w.heard = now - machine.heard;
    report.workers.push_back(std::move(w));
  }
  report.pools = measured_;
  config_.board->put(std::move(report));
}

/// Brings the stream's report and its metrics up to date.
void head_state::export_stream(core::stream_id id, head_stream& stream) {
  const auto now = core::clock::now();
  if (stream.report.phase == stream_phase::running) stream.report.ledger = core_->collecting().ledger_of(id);
  stream.report.frames_per_s = stream.rate.at(stream.report.ledger.delivered, now);
  stream.report.latency_p50 = stream.latency.quantile(0.5, now);
  stream.report.latency_p99 = stream.latency.quantile(0.99, now);
  note_arrivals(stream);
  export_ledger(stream.series, stream.report.ledger, stream.exported);
}

void head_state::export_metrics() {
  for (auto& [id, stream] : streams_) {
    const auto phase = stream.report.phase;
    if (phase == stream_phase::running || phase == stream_phase::closing) export_stream(id, stream);
  }
  pictures_ledger_.show();
  const auto waiting = core_->dispatching().waiting();
  measure_pools(waiting);
  series_.waiting.set(static_cast<double>(waiting.segments));
  series_.waiting_requests.set(static_cast<double>(core_->dispatching().waiting_requests()));
  series_.workers.set(static_cast<double>(workers_.size()));
  const auto& ignored = core_->collecting().ignored();
  series_.duplicates.add(static_cast<double>(ignored.duplicate + ignored.stale + ignored.unknown) -
                         series_.duplicates.value());
  const auto reach = [](const metrics::counter& counter, std::uint64_t value) {
    counter.add(static_cast<double>(value) - counter.value());
  };
  const auto& reports = core_->dispatching().ignored();
  reach(series_.lease_failures, core_->dispatching().failed_leases());
  reach(series_.stale_reports, reports.stale);
  reach(series_.reports_not_held, reports.not_held);
  reach(series_.results_not_sent, reports.not_sent);
  reach(series_.excess_credit, reports.excess_credit);
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
