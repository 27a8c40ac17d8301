#include "actors/source.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace penstock::actors {

namespace {

/// Packets of a lossless source in one message.
constexpr std::size_t most_packets = 16;

/// Waits, but no longer than until `stop` is asked for. Returns false then.
bool wait(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock{mutex};
  changed.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

} // namespace

void source_state::start(source_actor::pointer self, const source_config& config, source_outlet head) {
  self_ = self;
  config_ = config;
  head_ = std::move(head);
  backoff_ = media::backoff{config.backoff};
  jitter_.seed(config.jitter_seed);
  read_soon();
}

void source_state::read_soon() {
  if (reading_ || ended_) return;
  reading_ = true;
  self_->send(self_, source_read{});
}

void source_state::grant(const source_grant& message) {
  granted_ += message.packets;
  read_soon();
}

void source_state::read() {
  reading_ = false;
  if (ended_) return;
  if (!source_)
    open();
  else if (config_.live || granted_ > 0)
    read_packets();
  if (ended_)
    self_->quit();
  else if (!source_ || config_.live || granted_ > 0)
    read_soon();
}

void source_state::open() {
  auto options = config_.open;
  options.origin = reached_;
  auto opened = media::open_source(options);
  if (!opened) {
    handle(opened.error());
    return;
  }
  source_ = std::move(*opened);
  if (!source_->codec()) { // only the first packet tells
    auto first = source_->read();
    if (!first) {
      handle(first.error());
      return;
    }
    first_ = std::move(*first);
  }
  backoff_.reset();
  if (announced_) return;
  announced_ = true;
  codec_ = source_->codec();
  self_->send(head_, source_opened{config_.stream, codec_, source_->frames()});
}

void source_state::read_packets() {
  source_packets out{config_.stream, nullptr, {}};
  std::optional<core::error> trouble;
  const std::size_t most = config_.live ? 1 : std::min<std::size_t>(granted_, most_packets);
  for (std::size_t i = 0; i < most && !trouble; ++i) {
    auto packet = first_ ? core::expected<core::packet_ptr>{std::exchange(first_, nullptr)} : source_->read();
    if (!packet) {
      trouble = packet.error();
      break;
    }
    if (source_->codec() != codec_) {
      if (!out.packets.empty()) self_->send(head_, std::exchange(out, source_packets{config_.stream, nullptr, {}}));
      codec_ = source_->codec();
      out.codec = codec_;
    }
    if (config_.live && !source_->traits().live) pace(**packet);
    reached_ = std::max(reached_, (*packet)->pts + (*packet)->duration);
    if (!config_.live) --granted_;
    out.packets.push_back(std::move(*packet));
  }
  if (!out.packets.empty()) self_->send(head_, std::move(out));
  if (trouble) handle(*trouble);
}

void source_state::pace(const core::packet& packet) {
  const auto now = core::clock::now();
  if (!pace_origin_) pace_origin_ = now - packet.dts;
  const auto due = *pace_origin_ + packet.dts;
  if (due > now) wait(std::chrono::ceil<std::chrono::milliseconds>(due - now), config_.open.stop);
}

void source_state::handle(const core::error& trouble) {
  switch (trouble.code) {
  case core::errc::end_of_stream:
  case core::errc::cancelled: end(std::nullopt); return;
  case core::errc::corrupt:
    if (!source_) break;
    self_->send(head_, source_trouble{config_.stream, trouble, false});
    return;
  case core::errc::unavailable:
    if (config_.finite) break;
    source_.reset();
    self_->send(head_, source_trouble{config_.stream, trouble, true});
    if (!wait(backoff_.next(jitter_), config_.open.stop)) end(std::nullopt);
    return;
  default: break;
  }
  end(trouble);
}

void source_state::end(std::optional<core::error> error) {
  ended_ = true;
  source_.reset();
  self_->send(head_, source_ended{config_.stream, std::move(error)});
}

source_actor::behavior_type source(source_actor::stateful_pointer<source_state> self, const source_config& config,
                                   const source_outlet& head) {
  self->state.start(self, config, head);
  return {
      [self](const source_grant& message) { self->state.grant(message); },
      [self](const source_read&) { self->state.read(); },
  };
}

} // namespace penstock::actors
