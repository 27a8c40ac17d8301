#include "actors/push_gate.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <variant>

namespace penstock::actors {

namespace {

namespace push = transport::push;

constexpr std::chrono::milliseconds tick_interval{500};

/// Of one connection, each logged; more are no mistake.
constexpr std::uint32_t most_refusals = 20;

} // namespace

void push_gate_state::configure(push_gate_actor::pointer self, const push_gate_config& config, push_outlet head) {
  self_ = self;
  config_ = config;
  head_ = std::move(head);
}

// -- producers --------------------------------------------------------------------------------------------------------

void push_gate_state::on(const pushed_message& message) {
  if (shut_out_.contains(message.peer.value)) return;
  const auto& parts = *message.parts;
  auto read = push::decode(parts.front().bytes, std::span{parts}.subspan(1), config_.limits);
  if (!read) return shut_out(message.peer, read.error().message);
  std::visit([&](auto&& m) { on(message.peer, std::forward<decltype(m)>(m)); }, std::move(*read));
}

void push_gate_state::on(transport::peer_id peer, push::open&& message) {
  const auto pixels =
      static_cast<std::uint64_t>(message.codec.width_px) * static_cast<std::uint64_t>(message.codec.height_px);
  if (pixels > config_.max_pixels)
    return refuse(peer, message.stream, fmt::format("{} pixels are beyond max_pixels {}", pixels, config_.max_pixels));
  auto codec = std::make_shared<const core::codec_description>(std::move(message.codec));
  const auto known = streams_.find(message.stream);
  if (known == streams_.end()) {
    if (peers_[peer.value].streams.size() >= config_.streams_per_peer)
      return shut_out(peer, "too many streams at once");
    auto made = std::make_unique<stream>();
    made->name = message.stream;
    made->peer = peer;
    set_codec(*made, codec);
    made->fresh = false; // the head learns it with the opening
    streams_.emplace(message.stream, std::move(made));
    peers_[peer.value].streams.insert(message.stream);
    std::optional<topology::stream_policy> wanted;
    if (message.policy)
      wanted =
          *message.policy == push::policy::live ? topology::stream_policy::live : topology::stream_policy::lossless;
    self_->send(head_, push_opening{message.stream, std::move(codec), wanted});
    return;
  }
  auto& s = *known->second;
  if (s.peer && *s.peer != peer) return refuse(peer, s.name, "another connection pushes this stream");
  if (s.account) {
    if (message.again) return config_.send(peer, *s.account); // it only missed how its stream ended
    return refuse(peer, s.name, "the stream has ended");
  }
  attach(peer, s, std::move(codec));
}

/// The producer is back, or its encoder began anew.
void push_gate_state::attach(transport::peer_id peer, stream& s, core::codec_ptr codec) {
  const bool back = !s.peer.has_value();
  s.peer = peer;
  peers_[peer.value].streams.insert(s.name);
  // A lossless producer goes on behind the last packet that was received; a live one with whatever it has now.
  if (!s.ended && !(s.lossless && *codec == *s.codec)) set_codec(s, std::move(codec));
  if (!s.id) return;
  if (back) {
    spdlog::info("stream {}: its producer is back", s.name);
    s.owed = std::exchange(s.credit, 0) + s.owed;
  }
  config_.send(peer, push::credit{s.name, 0, s.received, s.lossless ? push::policy::lossless : push::policy::live});
  pay(s);
}

void push_gate_state::set_codec(stream& s, core::codec_ptr codec) {
  const auto& d = *codec;
  s.duration = core::media_time{d.frames_per_s > 0 ? std::llround(1e6 / d.frames_per_s) : 0};
  s.classifier = media::make_classifier(d);
  // Behind all that came before, also where nobody knows how long its last frame is shown.
  const core::media_time gap{s.duration.count() > 0 ? 0 : 1};
  if (s.received > 0) s.times = media::timeline{s.times.end() + gap, std::nullopt};
  s.codec = std::move(codec);
  s.fresh = true;
}

void push_gate_state::on(transport::peer_id peer, push::packet&& message) {
  auto* s = of(peer, message.stream);
  if (s == nullptr) return shut_out(peer, "a packet of a stream that this connection has not opened");
  if (s->credit == 0) return shut_out(peer, fmt::format("a packet of {} without credit", s->name));
  if (s->ended) return;
  --s->credit;
  ++s->received;
  source_packets out{*s->id, nullptr, {make_packet(*s, message)}};
  if (std::exchange(s->fresh, false)) out.codec = s->codec;
  self_->send(head_, std::move(out));
}

core::packet_ptr push_gate_state::make_packet(stream& s, const push::packet& from) {
  // Decoders read past the end, and a small part keeps a whole receive buffer: so it is copied.
  const auto size = from.bytes.bytes.size();
  auto memory = std::make_shared_for_overwrite<std::byte[]>(size + core::packet_padding_bytes);
  if (size > 0) std::memcpy(memory.get(), from.bytes.bytes.data(), size);
  std::fill_n(memory.get() + size, core::packet_padding_bytes, std::byte{0});

  auto made = std::make_shared<core::packet>();
  made->bytes = {memory.get(), size};
  made->owner = std::move(memory);
  made->captured = core::clock::now();
  made->duration = from.duration_us > 0 ? core::media_time{from.duration_us} : s.duration;
  const auto kind = s.classifier->classify(made->bytes, {from.key, false});
  made->access = kind.access;
  made->disposable = kind.disposable && from.shown; // half a frame may be referred to by the other
  made->shown = kind.shown && from.shown;
  made->damaged = from.damaged;
  made->name = from.name;
  media::raw_times raw{core::media_time{from.pts_us}, std::nullopt, made->duration};
  raw.dts = core::media_time{from.dts_us.value_or(from.pts_us)};
  const auto times = s.times.fix(raw);
  made->pts = times.pts;
  made->dts = times.dts;
  return made;
}

void push_gate_state::on(transport::peer_id peer, push::end&& message) {
  auto* s = of(peer, message.stream);
  if (s == nullptr) return shut_out(peer, "the end of a stream that this connection has not opened");
  if (!s->id) return shut_out(peer, "the end of a stream without an answer to its opening");
  if (!std::exchange(s->ended, true)) self_->send(head_, source_ended{*s->id, std::nullopt});
}

void push_gate_state::on(const pusher_gone& message) {
  shut_out_.erase(message.peer.value);
  leave(message.peer, message.why.message);
}

void push_gate_state::leave(transport::peer_id peer, const std::string& why) {
  const auto at = peers_.find(peer.value);
  if (at == peers_.end()) return;
  for (const auto& each : at->second.streams) {
    auto& s = *streams_.at(each);
    s.peer.reset();
    s.away_since = core::clock::now();
    if (s.id && !s.ended)
      self_->send(head_, source_trouble{*s.id, {core::errc::unavailable, "its producer is gone: " + why}, true});
  }
  peers_.erase(at);
}

void push_gate_state::shut_out(transport::peer_id peer, std::string why) {
  spdlog::warn("a producer is refused: {}", why);
  shut_out_.insert(peer.value);
  config_.shut_out(peer, {"", why});
  leave(peer, why);
}

void push_gate_state::refuse(transport::peer_id peer, const std::string& what, std::string why) {
  if (++peers_[peer.value].refusals > most_refusals) return shut_out(peer, "it was refused too often");
  spdlog::warn("a producer of stream {} is refused: {}", what, why);
  config_.send(peer, push::error{what, std::move(why)});
}

// -- the head ---------------------------------------------------------------------------------------------------------

void push_gate_state::on(const push_admitted& message) {
  const auto at = streams_.find(message.name);
  if (at == streams_.end()) return;
  auto& s = *at->second;
  s.id = message.stream;
  s.lossless = message.lossless;
  s.away = message.away;
  admitted_[message.stream] = &s;
  spdlog::info("stream {}: a producer brings it: {}, {}", s.name, s.codec->codec, s.lossless ? "lossless" : "live");
  if (!s.lossless) {
    s.owed = config_.live_window;
    pay(s);
  }
}

void push_gate_state::on(const push_refused& message) {
  const auto at = streams_.find(message.name);
  if (at == streams_.end()) return;
  if (at->second->peer) refuse(*at->second->peer, message.name, message.why);
  forget(*at->second);
}

void push_gate_state::on(const push_grant& message) {
  auto* s = find(message.stream);
  if (s == nullptr) return;
  s->owed += message.packets;
  pay(*s);
}

void push_gate_state::on(const push_taken& message) {
  auto* s = find(message.stream);
  if (s == nullptr) return;
  s->owed += message.packets;
  if (4 * s->owed >= config_.live_window) pay(*s); // not a message for each
}

void push_gate_state::pay(stream& s) {
  if (!s.peer || s.owed == 0) return;
  s.credit += s.owed;
  config_.send(*s.peer, push::credit{s.name, std::exchange(s.owed, 0), s.received,
                                     s.lossless ? push::policy::lossless : push::policy::live});
}

void push_gate_state::on(const push_finished& message) {
  auto* s = find(message.stream);
  if (s == nullptr) return;
  push::done account{s->name, message.ledger.received, message.ledger.delivered, {}};
  for (const auto reason : core::all_drop_reasons)
    if (const auto n = message.ledger.dropped_for(reason); n > 0) account.dropped[std::string{to_string(reason)}] = n;
  s->ended = true;
  s->account = std::move(account);
  if (!s->peer) return;
  config_.send(*s->peer, *s->account);
  detach(*s);
  s->away_since = core::clock::now();
}

void push_gate_state::tick(core::time_point now) {
  std::vector<stream*> over;
  for (const auto& [each, s] : streams_) {
    if (s->peer || !s->id || now - s->away_since < s->away) continue;
    if (s->account) over.push_back(s.get());
    if (s->ended) continue;
    s->ended = true;
    std::optional<core::error> why;
    if (s->lossless) why = core::error{core::errc::unavailable, "its producer was gone for too long"};
    spdlog::warn("stream {}: its producer was gone for too long", s->name);
    self_->send(head_, source_ended{*s->id, std::move(why)});
  }
  for (auto* s : over) forget(*s);
  self_->delayed_send(self_, tick_interval, push_tick{});
}

// -- tables -----------------------------------------------------------------------------------------------------------

void push_gate_state::detach(stream& s) {
  if (!s.peer) return;
  peers_.at(s.peer->value).streams.erase(s.name);
  s.peer.reset();
}

void push_gate_state::forget(stream& s) {
  detach(s);
  if (s.id) admitted_.erase(*s.id);
  streams_.erase(std::string{s.name});
}

push_gate_state::stream* push_gate_state::of(transport::peer_id peer, const std::string& called) {
  const auto at = peers_.find(peer.value);
  if (at == peers_.end()) return nullptr;
  if (called.empty()) return at->second.streams.size() == 1 ? streams_.at(*at->second.streams.begin()).get() : nullptr;
  return at->second.streams.contains(called) ? streams_.at(called).get() : nullptr;
}

push_gate_state::stream* push_gate_state::find(core::stream_id id) {
  const auto at = admitted_.find(id);
  return at == admitted_.end() ? nullptr : at->second;
}

push_gate_actor::behavior_type push_gate(push_gate_actor::stateful_pointer<push_gate_state> self,
                                         const push_gate_config& config, const push_outlet& head) {
  self->state.configure(self, config, head);
  self->state.tick(core::clock::now());
  return {
      [self](const pushed_message& message) { self->state.on(message); },
      [self](const pusher_gone& message) { self->state.on(message); },
      [self](const push_tick&) { self->state.tick(core::clock::now()); },
      [self](const push_admitted& message) { self->state.on(message); },
      [self](const push_refused& message) { self->state.on(message); },
      [self](const push_grant& message) { self->state.on(message); },
      [self](const push_taken& message) { self->state.on(message); },
      [self](const push_finished& message) { self->state.on(message); },
  };
}

} // namespace penstock::actors
