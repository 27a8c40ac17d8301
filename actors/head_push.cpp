#include <fmt/format.h>

#include <utility>

#include "actors/head.hpp"

/// The part of the head that takes streams which programs bring while it runs.
namespace penstock::actors {

void head_state::configure_pushes() {
  for (std::uint32_t i = 0; i < streams_.size(); ++i)
    if (is_pushed(streams_[i])) pushed_.emplace(topology::pushed_name(streams_[i].source.uri), core::stream_id{i});
}

core::expected<core::stream_id> head_state::admit(const push_opening& message) {
  if (stop_deadline_) return core::fail(core::errc::unavailable, "the head is stopping");
  auto at = pushed_.find(message.name);
  if (at == pushed_.end()) {
    if (!config_.ingest_any)
      return core::fail(core::errc::not_found, "the topology has no stream with this push:// name");
    if (streams_.size() - config_.streams.size() >= config_.ingest_streams)
      return core::fail(core::errc::too_large, fmt::format("there were {} streams already", config_.ingest_streams));
    for (const auto& other : config_.streams)
      if (other.id == message.name) return core::fail(core::errc::bad_config, "another stream has this id");
    auto& stream = streams_.emplace_back();
    stream.source.id = message.name;
    stream.source.uri = "push://" + message.name;
    stream.source.kind = topology::source_kind::pushed;
    stream.source.finite = false;
    stream.source.policy = topology::stream_policy::live;
    stream.source.policy_open = true;
    stream.source.sample_fps = config_.topology.stages.decode.sample_fps;
    stream.report.id = message.name;
    stream.report.finite = false;
    stream.report.phase = stream_phase::opening;
    stream.series = config_.metrics->stream(message.name);
    const core::stream_id id{static_cast<std::uint32_t>(streams_.size() - 1)};
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
