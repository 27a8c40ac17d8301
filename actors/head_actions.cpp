#include <caf/send.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>
#include <variant>

#include "actors/head.hpp"

/// The half of the head that carries out what the core decided.
namespace penstock::actors {

void head_state::carry_out() {
  while (!actions_.empty()) {
    auto actions = std::exchange(actions_, {});
    for (auto& action : actions) {
      if (!std::holds_alternative<dispatch::send_packet>(action)) flush_packets();
      std::visit([this](auto& a) { apply(a); }, action);
    }
    flush_packets();
    flush_groups(); // may bring more actions
  }
}

void head_state::apply(dispatch::send_open& action) {
  series_.leases.add();
  if (auto* stream = find_stream(action.segment.stream)) {
    if (stream->needs_frames) stream->forwarded[action.segment.number].codec = action.codec;
    if (stream->preview) stream->preview->open(action.segment, action.codec);
  }
  self_->send(workers_.at(action.worker).handle, open_segment{action.segment, std::move(action.codec), action.live});
}

void head_state::apply(dispatch::send_packet& action) {
  const auto& to = workers_.at(action.worker).handle;
  if (!packets_.packets.empty() && (packets_.segment != action.segment || packets_to_ != to)) flush_packets();
  packets_to_ = to;
  packets_.segment = action.segment;
  packets_.packets.push_back({action.ordinal, action.wanted, action.packet});

  if (auto* stream = find_stream(action.segment.stream)) {
    if (stream->needs_frames) forward_packet(*stream, action);
    if (stream->preview && stream->preview->add(action.segment, packets_.packets.back()))
      touched_.push_back(action.segment.stream);
  }
  // A long group of pictures that is leased anew would be more than a link takes at a time.
  constexpr std::size_t most_in_a_message = 256;
  if (packets_.packets.size() >= most_in_a_message) flush_packets();
}

/// To sinks that draw on frames.
void head_state::forward_packet(head_stream& stream, const dispatch::send_packet& action) {
  auto& forwarded = stream.forwarded[action.segment.number];
  if (action.ordinal < forwarded.next) return;
  forwarded.next = action.ordinal + 1;
  stream.group.packets.push_back({action.segment, forwarded.codec, packets_.packets.back()});
  touched_.push_back(action.segment.stream);
}

void head_state::flush_packets() {
  if (packets_.packets.empty()) return;
  self_->send(packets_to_, std::exchange(packets_, {}));
}

void head_state::apply(dispatch::send_close& action) {
  self_->send(workers_.at(action.worker).handle, close_segment{action.segment});
}

void head_state::apply(dispatch::revoke& action) {
  self_->send(workers_.at(action.worker).handle, revoke_segment{action.segment});
}

void head_state::apply(dispatch::grant& action) {
  const auto& stream = stream_of(action.stream);
  if (is_pushed(stream))
    self_->send(pushes_, push_grant{action.stream, action.packets});
  else
    self_->send(stream.reader, source_grant{action.packets});
}

/// Keeps what a worker said for the quarantine; a worker may say anything, and often.
void head_state::note_failure(const segment_failed& message) {
  constexpr std::size_t most_segments = 256;
  auto& failures = stream_of(message.segment.stream).failures;
  if (!quarantine_ || message.segment.epoch != config_.epoch) return;
  if (failures.size() >= most_segments && !failures.contains(message.segment.number)) return;
  auto& said = failures[message.segment.number];
  if (said.size() < static_cast<std::size_t>(config_.topology.dispatch.attempts))
    said.push_back(fmt::format("worker {}: {}", message.worker.value, message.reason.message));
}

void head_state::apply(dispatch::quarantine& action) {
  series_.quarantined.add();
  auto* stream = find_stream(action.segment.stream);
  const std::string who{stream != nullptr ? stream->source.id : pictures_account_name};
  spdlog::error("stream {}: segment {} is given up: {}", who, action.segment.number, action.reason);
  if (!quarantine_) return;
  quarantined_segment segment;
  segment.stream = who;
  if (stream != nullptr) segment.source = stream->report.uri;
  segment.id = action.segment;
  segment.reason = std::move(action.reason);
  segment.codec = std::move(action.codec);
  segment.packets = std::move(action.packets);
  if (stream != nullptr)
    if (auto said = stream->failures.extract(action.segment.number)) segment.errors = std::move(said.mapped());
  quarantine_->put(std::move(segment));
}

void head_state::apply(dispatch::worker_expired& action) {
  spdlog::warn("worker {} was silent for too long", action.worker.value);
  tell_worker(action.worker, "silent");
  if (const auto gone = workers_.extract(action.worker))
    pools_->gone(gone.mapped().role, gone.mapped().name, true, core::clock::now());
  if (gate_) self_->send(gate_, worker_forgotten{action.worker});
}

void head_state::apply(dispatch::emit& action) {
  if (emit_picture(action)) return;
  auto& result = action.result;
  const auto id = result.id.segment.stream;
  auto& stream = stream_of(id);
  if (left_to_next_life(id, stream)) {
    core_->acknowledged(id, 0, 1, core::clock::now(), actions_, core::drop_reason::shutdown);
    return;
  }
  if (stream.tracker) stream.tracker->update(result.pts, result.objects);
  stream.series.objects.add(static_cast<double>(result.objects.size()));
  stream.acks.emitted(result.captured);
  if (stream.keeps_notes && stream.notes.progress.begun)
    stream.notes.emitted.insert_or_assign(result.id.segment.number, result.seq + 1);
  stream.failures.erase(stream.failures.begin(), stream.failures.lower_bound(result.id.segment.number));
  stream.forwarded.erase(stream.forwarded.begin(), stream.forwarded.lower_bound(result.id.segment.number));
  if (stream.preview) stream.preview->add(result);
  if (config_.observer.result && config_.observer.wanted())
    config_.observer.result(stream.source.id, *config_.labels, result);
  stream.group.results.push_back(std::move(result));
  touched_.push_back(id);
}

void head_state::apply(dispatch::stream_finished& action) {
  if (pictures_.contains(action.stream.value)) {
    answer_picture(action.stream);
    return;
  }
  flush_groups();
  begin_closing(action.stream, stream_of(action.stream));
}

void head_state::flush_groups() {
  for (const auto id : std::exchange(touched_, {})) {
    auto& stream = stream_of(id);
    if (stream.preview) stream.preview->send(*self_);
    if (stream.group.results.empty() && stream.group.packets.empty()) continue;
    auto group = std::exchange(stream.group, {});
    for (std::size_t i = 0; i < stream.sinks.size(); ++i) {
      const auto& config = stream.sink_configs[i];
      config.metrics.queue.add(static_cast<double>(group.results.size()));
      if (config.kind->needs_frames)
        self_->send(stream.sinks[i], group);
      else if (!group.results.empty())
        self_->send(stream.sinks[i], sink_results{group.results, {}});
    }
    if (!stream.sinks.empty()) continue;
    const auto now = core::clock::now();
    const auto settled = stream.acks.settle_all();
    note_latencies(stream, settled.captured, now);
    core_->acknowledged(id, settled.delivered, settled.failed, now, actions_);
  }
}

} // namespace penstock::actors
