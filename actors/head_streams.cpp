#include <algorithm>
#include <caf/exit_reason.hpp>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/head.hpp"
#include "actors/resume.hpp"
#include "actors/whole_ms.hpp"

namespace penstock::actors {

namespace {

/// A thread for each sink of thousands of streams would be too many: those beyond share the scheduler's.
constexpr std::size_t most_sinks_with_threads = 256;

} // namespace

head_stream& head_state::new_stream(core::stream_id id, const topology::stream_source& source,
                                    const std::string& series) {
  auto& stream = streams_[id];
  names_[source.id] = id;
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

} // namespace penstock::actors
