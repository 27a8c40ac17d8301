#include <fmt/format.h>

#include <utility>

#include "actors/head.hpp"

/// The part of the head that takes streams which programs bring while it runs.
namespace penstock::actors {

void head_state::configure_pushes() {
  for (const auto& [id, stream] : streams_)
    if (is_pushed(stream)) pushed_.emplace(topology::pushed_name(stream.source.uri), id);
}

core::expected<core::stream_id> head_state::admit(const push_opening& message) {
  if (stop_deadline_) return core::fail(core::errc::unavailable, "the head is stopping");
  auto at = pushed_.find(message.name);
  if (at == pushed_.end()) {
    if (!config_.ingest_any)
      return core::fail(core::errc::not_found, "the topology has no stream with this push:// name");
    if (pushed_by_others_ >= config_.ingest_streams)
      return core::fail(core::errc::too_large, fmt::format("there were {} streams already", config_.ingest_streams));
    if (names_.contains(message.name)) return core::fail(core::errc::bad_config, "another stream has this id");
    topology::stream_source source;
    source.id = message.name;
    source.uri = "push://" + message.name;
    source.kind = topology::source_kind::pushed;
    source.finite = false;
    source.policy = topology::stream_policy::live;
    source.policy_open = true;
    source.sample_fps = config_.topology.stages.decode.sample_fps;
    const auto id = next_id();
    new_stream(id, source, source.id).report.phase = stream_phase::opening;
    ++pushed_by_others_;
    at = pushed_.emplace(message.name, id).first;
  }
  auto& stream = stream_of(at->second);
  if (stream.report.phase != stream_phase::opening)
    return core::fail(core::errc::invalid_argument, "the stream has ended");
  const auto policy = stream.source.policy_open ? message.policy.value_or(stream.source.policy) : stream.source.policy;
  stream.report.lossless = policy == topology::stream_policy::lossless;
  return at->second;
}

void head_state::on(const push_opening& message) {
  const auto admitted = admit(message);
  if (!admitted) {
    self_->send(pushes_, push_refused{message.name, admitted.error().message});
    return;
  }
  auto& stream = stream_of(*admitted);
  const auto away = std::chrono::ceil<std::chrono::milliseconds>(stream.source.reconnect.max);
  self_->send(pushes_, push_admitted{message.name, *admitted, stream.report.lossless, away});
  on(source_opened{*admitted, message.codec, 0});
}

} // namespace penstock::actors
