#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "transport/hub/loop.hpp"

/// What goes over connections.
namespace penstock::transport {

namespace {

/// Bundles of one socket, or for one peer, before the others have their turn.
constexpr int most_in_a_row = 64;

constexpr const char* say_hello = "say hello first";

std::uint64_t bytes_of(std::size_t header, const std::vector<shared_bytes>& payloads) {
  std::uint64_t bytes = header;
  for (const auto& part : payloads) bytes += part.bytes.size();
  return bytes;
}

} // namespace

// -- receiving --------------------------------------------------------------------------------------------------------

void hub_loop::serve(listener& from) {
  from.dry = false;
  for (int i = 0; i < most_in_a_row; ++i) {
    const auto bundle = receive(from.router, true, options_.limits);
    if (!bundle) {
      from.dry = true;
      return;
    }
    const auto known = from.ids.find(bundle->from);
    auto* p = known == from.ids.end() ? nullptr : find(known->second);
    if (p != nullptr && p->fd != bundle->fd) { // who dials may choose a routing id that was another's
      lose(p->id, {core::errc::unavailable, "the connection ended"});
      p = nullptr;
    }
    if (p != nullptr)
      deliver(*p, from.events, *bundle);
    else
      greet(from, *bundle);
  }
}

/// Whether there may be more.
bool hub_loop::serve(dialler& from) {
  for (int i = 0; i < most_in_a_row; ++i) {
    if (!from.dealer) return false;
    const auto bundle = receive(from.dealer, false, options_.limits);
    if (!bundle) return false;
    deliver(*find(from.id), from.events, *bundle);
  }
  return true;
}

/// A connection's first message makes it a peer, if it is a hello.
void hub_loop::greet(listener& at, const received_bundle& bundle) {
  bundle_reader reader{bundle.header_bytes(), bundle.payloads, options_.limits};
  const auto first = reader.next();
  if (first && *first && std::holds_alternative<hello>(**first)) {
    if (const auto old = at.fds.find(bundle.fd); old != at.fds.end())
      lose(old->second, {core::errc::unavailable, "the connection ended"});
    auto& p = add_peer();
    p.accepted = &at;
    p.routing_id = bundle.from;
    p.fd = bundle.fd;
    at.ids.emplace(p.routing_id, p.id);
    at.fds[p.fd] = p.id;
    begin(p);
    if (at.ended.erase(p.fd) > 0) suspect_end(p, clock::now());
    return deliver(p, at.events, bundle);
  }
  ++board_.counters.refused_messages;
  board_.counters.bytes_received += bytes_of(bundle.header.size(), bundle.payloads);
  const auto why = first ? std::string{say_hello} : first.error().message;
  if (at.strangers.insert(bundle.fd).second) spdlog::warn("a connection was refused: {}", why);
  answer(at, bundle.from, refused{protocol_version, first.has_value(), why});
}

/// It is being closed, and what it is still sent goes before this.
void hub_loop::turn_away(peer& closing) {
  if (closing.accepted == nullptr || !closing.out || std::exchange(closing.turned_away, true)) return;
  bool first = false;
  const auto put = closing.out->put(refused{protocol_version, true, say_hello}, first);
  if (put == send_result::queued && first) unfinished_.push_back(closing.id);
}

void hub_loop::deliver(peer& from, const link_events& events, const received_bundle& bundle) {
  const auto id = from.id;
  board_.counters.bytes_received += bytes_of(bundle.header.size(), bundle.payloads);
  if (from.closing) return turn_away(from);
  bundle_reader reader{bundle.header_bytes(), bundle.payloads, options_.limits};
  while (!from.closing) {
    auto next = reader.next();
    if (!next) {
      ++board_.counters.refused_messages;
      if (from.accepted != nullptr)
        answer(*from.accepted, from.routing_id, refused{protocol_version, false, next.error().message});
      return lose(id, next.error());
    }
    if (!*next) return;
    ++board_.counters.messages_received;
    events.received(id, std::move(**next));
  }
}

void hub_loop::answer(listener& at, const std::string& routing_id, const message& m) {
  parts bundle;
  encode(m, bundle);
  // Who does not take an answer does not get one: nothing depends on it.
  static_cast<void>(send(at.router, &routing_id, bundle, nullptr));
}

// -- sending ----------------------------------------------------------------------------------------------------------

void hub_loop::flush_waiting(clock::time_point now) {
  auto turns = std::exchange(work_.waiting, {});
  for (const auto id : blocked_) {
    if (auto* p = find(id)) p->blocked = false;
    turns.push_back(id);
  }
  blocked_.clear();
  turns.insert(turns.end(), unfinished_.begin(), unfinished_.end());
  unfinished_.clear();
  for (const auto id : turns) {
    auto* p = find(id);
    if (p != nullptr && !p->blocked) flush(*p, now);
  }
}

void hub_loop::flush(peer& to, clock::time_point now) {
  for (int i = 0; i < most_in_a_row; ++i) {
    if (!to.out) return;
    if (!to.next && to.out->empty()) {
      to.blocked_since = {};
      if (to.closing) forget(to.id, true);
      return;
    }
    if (!to.account->room()) return block(to, now);
    if (!to.next) to.next = to.out->take();
    switch (send_to(to, *to.next)) {
    case sent::all: to.next.reset(); continue;
    case sent::would_block: return block(to, now);
    case sent::unreachable:
      if (to.accepted != nullptr) return suspect_end(to, now); // what it sent before that comes first
      to.next.reset();                                         // part of it may be gone
      return disconnected(*to.dialled, "the connection ended", now);
    }
  }
  unfinished_.push_back(to.id);
}

/// It takes no more for now.
void hub_loop::block(peer& p, clock::time_point now) {
  if (const auto released = p.account->released();
      p.blocked_since == clock::time_point{} || released != std::exchange(p.released, released))
    p.blocked_since = now;
  if (now - p.blocked_since >= options_.stuck) {
    ++board_.counters.refused_full;
    return lose(p.id, {core::errc::timeout, fmt::format("took nothing for {} ms", options_.stuck.count())});
  }
  p.blocked = true;
  blocked_.push_back(p.id);
}

sent hub_loop::send_to(peer& to, parts& bundle) {
  const auto bytes = bytes_of(bundle.header.size(), bundle.payloads);
  auto& socket = to.accepted != nullptr ? to.accepted->router : to.dialled->dealer;
  const auto result = send(socket, to.accepted != nullptr ? &to.routing_id : nullptr, bundle, to.account);
  if (result == sent::all) board_.counters.bytes_sent += bytes;
  return result;
}

} // namespace penstock::transport
