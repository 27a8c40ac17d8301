#include "transport/hub/loop.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace penstock::transport {

namespace {

using std::chrono::milliseconds;

/// Bundles taken from one socket before the others have their turn.
constexpr int most_in_a_row = 64;

/// How long a connection's end may take to reach the routing table.
constexpr milliseconds longest_doubt{200};

constexpr milliseconds retry_interval{1};
constexpr milliseconds question_interval{5};
constexpr milliseconds idle_interval{500};

} // namespace

hub_loop::hub_loop(const hub_options& options, hub_board& board, int wake_fd)
    : options_{options}, board_{board}, wake_fd_{wake_fd} {
  if (options_.keys) gate_.emplace(context_, *options_.keys);
}

void hub_loop::run() {
  std::optional<clock::time_point> end;
  while (true) {
    const auto now = clock::now();
    take_requests();
    if (stopping_ && !end) end = now + std::chrono::seconds{1};
    tend_diallers(now);
    flush_waiting(now);
    retry_stuck(now);
    question(now);
    if (end && ((stuck_.empty() && std::ranges::all_of(peers_, [](auto& p) { return p.second->out->empty(); })) ||
                now >= *end))
      break;
    poll(patience(now));
  }
  for (auto& [id, p] : peers_) retract(*p);
  // What the sockets still hold goes out meanwhile.
  constexpr int linger_ms = 1000;
  for (auto& l : listeners_) l->router.set(zmq::sockopt::linger, linger_ms);
  for (auto& [id, d] : diallers_)
    if (d->dealer) d->dealer.set(zmq::sockopt::linger, d->connected ? linger_ms : 0);
  listeners_.clear();
  diallers_.clear();
  gate_.reset();
}

milliseconds hub_loop::patience(clock::time_point now) const {
  if (!stuck_.empty() || stopping_) return retry_interval;
  if (!suspects_.empty()) return question_interval;
  auto wait = idle_interval;
  for (const auto& [id, d] : diallers_) {
    const auto next = !d->dealer ? d->next_attempt : d->connected ? now + idle_interval : d->give_up;
    wait = std::clamp(std::chrono::ceil<milliseconds>(next - now), milliseconds{1}, wait);
  }
  return wait;
}

void hub_loop::poll(milliseconds wait) {
  {
    const std::lock_guard lock{board_.mutex};
    if (!board_.waiting.empty() || !board_.requests.empty()) return;
    board_.awake = false;
  }
  items_.clear();
  items_.push_back({nullptr, wake_fd_, ZMQ_POLLIN, 0});
  if (gate_) items_.push_back({gate_->socket().handle(), 0, ZMQ_POLLIN, 0});
  for (auto& l : listeners_) {
    items_.push_back({l->router.handle(), 0, ZMQ_POLLIN, 0});
    items_.push_back({l->monitor->socket().handle(), 0, ZMQ_POLLIN, 0});
  }
  for (auto& [id, d] : diallers_) {
    if (!d->dealer) continue;
    items_.push_back({d->dealer.handle(), 0, ZMQ_POLLIN, 0});
    items_.push_back({d->monitor->socket().handle(), 0, ZMQ_POLLIN, 0});
  }
  zmq::poll(items_, wait);
  {
    const std::lock_guard lock{board_.mutex};
    board_.awake = true;
  }
  std::uint64_t wakes = 0;
  if ((items_.front().revents & ZMQ_POLLIN) != 0 && ::read(wake_fd_, &wakes, sizeof wakes) < 0)
    spdlog::error("hub: its wake-up cannot be read");
  if (gate_) board_.counters.refused_keys += gate_->answer();
  for (auto& l : listeners_) {
    watch(*l);
    serve(*l);
  }
  for (auto& [id, d] : diallers_)
    if (d->dealer) serve(*d);
}

void hub_loop::take_requests() {
  std::vector<std::function<void()>> requests;
  {
    const std::lock_guard lock{board_.mutex};
    requests.swap(board_.requests);
  }
  for (const auto& request : requests) request();
}

void hub_loop::tend_diallers(clock::time_point now) {
  std::erase_if(diallers_, [](const auto& d) { return d.second->over; });
  for (auto& [id, d] : diallers_) {
    if (d->over) continue;
    if (!d->dealer && now >= d->next_attempt) connect(*d, now);
    watch(*d, now);
  }
}

// -- end points -------------------------------------------------------------------------------------------------------

std::string hub_loop::listen(const std::string& address, link_events events) {
  auto made = std::make_unique<listener>();
  made->router = zmq::socket_t{context_, zmq::socket_type::router};
  configure(made->router, options_);
  secure(made->router, options_, true);
  made->router.set(zmq::sockopt::router_mandatory, true);
  made->monitor = std::make_unique<connection_monitor>(context_, made->router);
  made->events = std::move(events);
  made->router.bind(address);
  listeners_.push_back(std::move(made));
  return listeners_.back()->router.get(zmq::sockopt::last_endpoint);
}

peer_id hub_loop::dial(const std::string& address, link_events events) {
  auto made = std::make_unique<dialler>();
  made->address = address;
  made->events = std::move(events);
  auto& p = add_peer();
  p.dialled = made.get();
  diallers_.emplace(p.id.value, std::move(made));
  return p.id;
}

void hub_loop::connect(dialler& to, clock::time_point now) {
  to.dealer = zmq::socket_t{context_, zmq::socket_type::dealer};
  configure(to.dealer, options_);
  secure(to.dealer, options_, false);
  to.dealer.set(zmq::sockopt::reconnect_ivl, -1); // every connection is a new peer to the other end
  to.dealer.set(zmq::sockopt::immediate, true);
  to.monitor = std::make_unique<connection_monitor>(context_, to.dealer);
  to.connected = false;
  to.give_up = now + options_.handshake;
  to.dealer.connect(to.address);
}

void hub_loop::watch(dialler& of, clock::time_point now) {
  if (!of.dealer) return;
  while (auto event = of.monitor->next()) {
    switch (event->what) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: {
      of.connected = true;
      of.backoff = milliseconds{0};
      const auto at = std::ranges::find_if(peers_, [&](auto& p) { return p.second->dialled == &of; });
      publish(*at->second);
      of.events.connected(at->second->id);
      break;
    }
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return disconnected(of, "it does not take this node's key", now);
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return disconnected(of, "the handshake failed: keys on one side only, another server key, or no Penstock", now);
    default: return disconnected(of, of.connected ? "the connection ended" : "no connection", now);
    }
  }
  if (!of.connected && now >= of.give_up) disconnected(of, "no connection in time", now);
}

void hub_loop::disconnected(dialler& from, const std::string& why, clock::time_point now) {
  const bool was_connected = from.connected;
  serve(from); // what came before the end
  if (!from.dealer) return;
  from.monitor.reset();
  from.dealer = {};
  from.connected = false;
  from.backoff = std::clamp(2 * from.backoff, options_.reconnect_min, options_.reconnect_max);
  const auto half = from.backoff.count() / 2;
  from.next_attempt =
      now + milliseconds{half + static_cast<std::int64_t>(jitter_() % static_cast<std::uint64_t>(half + 1))};
  const auto at = std::ranges::find_if(peers_, [&](auto& p) { return p.second->dialled == &from; });
  const core::error error{core::errc::unavailable, fmt::format("{}: {}", from.address, why)};
  if (was_connected) {
    lose(at->second->id, error);
  } else {
    from.events.unreachable(at->second->id, error);
  }
}

void hub_loop::close(peer_id id, bool flush) {
  auto* p = find(id);
  if (p == nullptr) return;
  const bool sendable = p->accepted != nullptr || p->dialled->connected;
  p->closing = true;
  if (!flush || !sendable || (!p->stuck && p->out->empty())) forget(id);
}

// -- receiving --------------------------------------------------------------------------------------------------------

void hub_loop::serve(listener& from) {
  for (int i = 0; i < most_in_a_row; ++i) {
    auto bundle = receive(from.router, true, options_.limits);
    if (!bundle) return;
    const auto known = from.ids.find(bundle->from);
    if (known == from.ids.end())
      greet(from, *bundle);
    else if (auto* p = find(known->second))
      deliver(*p, from.events, *bundle);
  }
}

void hub_loop::serve(dialler& from) {
  for (int i = 0; i < most_in_a_row && from.dealer; ++i) {
    const auto bundle = receive(from.dealer, false, options_.limits);
    if (!bundle) return;
    const auto at = std::ranges::find_if(peers_, [&](auto& p) { return p.second->dialled == &from; });
    deliver(*at->second, from.events, *bundle);
  }
}

/// A connection's first message makes it a peer, if it is a hello.
void hub_loop::greet(listener& at, received_bundle& bundle) {
  bundle_reader reader{bundle.header_bytes(), bundle.payloads, options_.limits};
  auto first = reader.next();
  if (first && *first && std::holds_alternative<hello>(**first)) {
    if (const auto old = at.fds.find(bundle.fd); old != at.fds.end())
      lose(old->second, {core::errc::unavailable, "the connection ended"});
    auto& p = add_peer();
    p.accepted = &at;
    p.routing_id = bundle.from;
    p.fd = bundle.fd;
    at.ids.emplace(p.routing_id, p.id);
    at.fds[p.fd] = p.id;
    publish(p);
    deliver(p, at.events, bundle);
    return;
  }
  ++board_.counters.refused_messages;
  if (first && *first) return answer(at, bundle.from, refused{protocol_version, true, "say hello first"});
  const std::string why = first ? "an empty message" : first.error().message;
  spdlog::warn("a connection was refused: {}", why);
  answer(at, bundle.from, refused{protocol_version, false, why});
}

void hub_loop::deliver(peer& from, const link_events& events, const received_bundle& bundle) {
  const auto id = from.id;
  std::uint64_t bytes = bundle.header.size();
  for (const auto& part : bundle.payloads) bytes += part.bytes.size();
  board_.counters.bytes_received += bytes;
  bundle_reader reader{bundle.header_bytes(), bundle.payloads, options_.limits};
  while (true) {
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

// -- connections that end ---------------------------------------------------------------------------------------------

void hub_loop::watch(listener& of) {
  while (auto event = of.monitor->next()) {
    if (event->what != ZMQ_EVENT_DISCONNECTED) continue;
    const auto at = of.fds.find(event->fd);
    if (at != of.fds.end()) suspects_.push_back({at->second, clock::now() + longest_doubt});
  }
}

/// The monitor may be ahead of the routing table, and descriptors are used again: sending is what tells.
void hub_loop::question(clock::time_point now) {
  std::erase_if(suspects_, [&](const suspect& s) {
    auto* p = find(s.id);
    if (p == nullptr) return true;
    parts probe;
    encode(heartbeat{}, probe);
    if (send(p->accepted->router, &p->routing_id, probe) != sent::unreachable) return now >= s.until;
    lose(s.id, {core::errc::unavailable, "the connection ended"});
    return true;
  });
}

// -- sending ----------------------------------------------------------------------------------------------------------

void hub_loop::flush_waiting(clock::time_point now) {
  std::vector<peer_id> waiting;
  {
    const std::lock_guard lock{board_.mutex};
    waiting.swap(board_.waiting);
  }
  for (const auto id : waiting) {
    auto* p = find(id);
    if (p != nullptr && !p->stuck && !flush(*p, now)) stuck_.push_back(id);
  }
}

void hub_loop::retry_stuck(clock::time_point now) {
  std::erase_if(stuck_, [&](peer_id id) {
    auto* p = find(id);
    return p == nullptr || flush(*p, now);
  });
}

/// False when the socket takes no more for now.
bool hub_loop::flush(peer& to, clock::time_point now) {
  while (true) {
    auto bundle = std::exchange(to.stuck, std::nullopt);
    const bool again = bundle.has_value();
    if (!bundle) bundle = to.out->take();
    if (!bundle) {
      if (to.closing) forget(to.id);
      return true;
    }
    switch (send_to(to, *bundle)) {
    case sent::all: continue;
    case sent::unreachable: lose(to.id, {core::errc::unavailable, "the connection ended"}); return true;
    case sent::would_block: break;
    }
    if (!again) to.stuck_since = now;
    to.stuck = std::move(bundle);
    if (now - to.stuck_since < options_.stuck) return false;
    ++board_.counters.refused_full;
    lose(to.id, {core::errc::timeout, fmt::format("took nothing for {} ms", options_.stuck.count())});
    return true;
  }
}

sent hub_loop::send_to(peer& to, parts& bundle) {
  std::uint64_t bytes = bundle.header.size();
  for (const auto& part : bundle.payloads) bytes += part.bytes.size();
  const auto result = to.accepted != nullptr  ? send(to.accepted->router, &to.routing_id, bundle)
                      : to.dialled->connected ? send(to.dialled->dealer, nullptr, bundle)
                                              : sent::unreachable;
  if (result == sent::all) board_.counters.bytes_sent += bytes;
  return result;
}

void hub_loop::answer(listener& at, const std::string& routing_id, const message& m) {
  parts bundle;
  encode(m, bundle);
  // Who does not take an answer does not get one: nothing depends on it.
  static_cast<void>(send(at.router, &routing_id, bundle));
}

// -- peers
// --------------------------------------------------------------------------------------------------------------

hub_loop::peer* hub_loop::find(peer_id id) {
  const auto at = peers_.find(id.value);
  return at == peers_.end() ? nullptr : at->second.get();
}

hub_loop::peer& hub_loop::add_peer() {
  auto made = std::make_unique<peer>();
  made->id = {next_peer_++};
  made->out = std::make_shared<outbox>(options_.queue_messages, options_.queue_bytes);
  auto& p = *made;
  peers_.emplace(p.id.value, std::move(made));
  return p;
}

void hub_loop::publish(peer& p) {
  p.out->open();
  const std::lock_guard lock{board_.mutex};
  board_.outboxes[p.id.value] = p.out;
}

void hub_loop::retract(const peer& p) {
  p.out->close();
  const std::lock_guard lock{board_.mutex};
  board_.outboxes.erase(p.id.value);
}

void hub_loop::lose(peer_id id, const core::error& why) {
  auto* p = find(id);
  if (p == nullptr) return;
  ++board_.counters.connections_lost;
  retract(*p);
  p->stuck.reset();
  if (p->dialled != nullptr) {
    auto& d = *p->dialled;
    const auto told = d.events.lost;
    if (d.connected) { // the protocol was broken, not the connection
      d.monitor.reset();
      d.dealer = {};
      d.connected = false;
      d.backoff = options_.reconnect_max;
      d.next_attempt = clock::now() + d.backoff;
    }
    if (p->closing) forget(id);
    return told(id, why);
  }
  const auto told = p->accepted->events.lost;
  forget(id);
  told(id, why);
}

void hub_loop::forget(peer_id id) {
  auto* p = find(id);
  if (p == nullptr) return;
  retract(*p);
  if (p->accepted != nullptr) {
    p->accepted->ids.erase(p->routing_id);
    const auto fd = p->accepted->fds.find(p->fd);
    if (fd != p->accepted->fds.end() && fd->second == id) p->accepted->fds.erase(fd);
  } else if (const auto d = diallers_.find(id.value); d != diallers_.end()) {
    if (d->second->dealer) {
      constexpr int linger_ms = 1000;
      d->second->dealer.set(zmq::sockopt::linger, d->second->connected ? linger_ms : 0);
    }
    d->second->monitor.reset();
    d->second->dealer = {};
    d->second->over = true; // others may be walking over the table
  }
  peers_.erase(id.value);
}

} // namespace penstock::transport
