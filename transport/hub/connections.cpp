#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "transport/hub/loop.hpp"

/// How connections begin and end.
namespace penstock::transport {

using std::chrono::milliseconds;

// -- dialled ----------------------------------------------------------------------------------------------------------

void hub_loop::tend_diallers(clock::time_point now) {
  std::erase_if(diallers_, [](const auto& d) { return d.second->over; });
  for (auto& [id, d] : diallers_) {
    if (!d->dealer && !d->over && now >= d->next_attempt) {
      try {
        connect(*d, now);
      } catch (const zmq::error_t& e) { // of the system: too many files, no memory
        disconnected(*d, e.what(), now);
      }
    }
    watch(*d, now);
  }
}

void hub_loop::connect(dialler& to, clock::time_point now) {
  to.dealer = zmq::socket_t{context_, zmq::socket_type::dealer};
  configure(to.dealer, options_);
  secure(to.dealer, options_, false);
  if (options_.keys && !to.server_key.empty()) to.dealer.set(zmq::sockopt::curve_serverkey, to.server_key);
  to.dealer.set(zmq::sockopt::reconnect_ivl, -1); // every connection is a new peer to the other end
  to.dealer.set(zmq::sockopt::immediate, true);
  to.monitor = std::make_unique<connection_monitor>(context_, to.dealer);
  to.connected = false;
  to.give_up = now + options_.handshake;
  to.dealer.connect(to.address);
}

void hub_loop::hang_up(dialler& from, milliseconds linger) {
  if (!from.dealer) return;
  from.dealer.set(zmq::sockopt::linger, static_cast<int>(linger.count()));
  from.monitor.reset();
  from.dealer.close();
  from.connected = false;
}

void hub_loop::watch(dialler& of, clock::time_point now) {
  while (of.dealer) {
    const auto event = of.monitor->next();
    if (!event) break;
    switch (event->what) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      of.connected = true;
      of.backoff = milliseconds{0};
      begin(*find(of.id));
      of.events.connected(of.id);
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return disconnected(of, "it does not take this node's key", now);
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return disconnected(of, "the handshake failed: keys at one end only, another server key, or no Penstock", now);
    default: return disconnected(of, of.connected ? "the connection ended" : "no connection", now);
    }
  }
  if (of.dealer && !of.connected && now >= of.give_up) disconnected(of, "no connection in time", now);
}

void hub_loop::disconnected(dialler& from, const std::string& why, clock::time_point now) {
  const bool was_connected = from.connected;
  while (serve(from)) { // what came before the end
  }
  if (from.connected != was_connected) return; // lost already, for what it sent
  hang_up(from, milliseconds{0});
  from.backoff = std::clamp(2 * from.backoff, options_.reconnect_min, options_.reconnect_max);
  const auto half = from.backoff.count() / 2;
  from.next_attempt =
      now + milliseconds{half + static_cast<std::int64_t>(jitter_() % static_cast<std::uint64_t>(half + 1))};
  const core::error error{core::errc::unavailable, fmt::format("{}: {}", from.address, why)};
  if (was_connected)
    lose(from.id, error);
  else
    from.events.unreachable(from.id, error);
}

// -- accepted ---------------------------------------------------------------------------------------------------------

void hub_loop::watch(listener& of, clock::time_point now) {
  while (const auto event = of.monitor->next()) {
    if (event->what != ZMQ_EVENT_DISCONNECTED) continue;
    if (const auto at = of.fds.find(event->fd); at != of.fds.end()) {
      suspect_end(*find(at->second), now);
    } else if (of.strangers.erase(event->fd) == 0) {
      of.ended.insert(event->fd);
      ++board_.counters.ended_early;
    }
  }
}

/// Again and again, if need be: a descriptor that was another's says nothing of when this one really ends.
void hub_loop::suspect_end(peer& p, clock::time_point now) {
  if (!p.ended) suspects_.push_back(p.id);
  p.ended = doubt{now};
}

void hub_loop::question(clock::time_point now) {
  for (const auto id : std::exchange(suspects_, {})) // what is served meanwhile may bring new ones
    if (!is_settled(id, now)) suspects_.push_back(id);
}

bool hub_loop::is_settled(peer_id suspect, clock::time_point now) {
  auto* p = find(suspect);
  if (p == nullptr) return true;
  if (!p->ended->is_due(now)) return false;
  const bool enough = p->ended->is_over(now);
  parts probe;
  encode(heartbeat{}, probe);
  if (send(p->accepted->router, &p->routing_id, probe, nullptr) != sent::unreachable) {
    p->ended->put_off(now);
    if (!enough) return false;
    p->ended.reset();
    unfinished_.push_back(suspect);
    return true;
  }
  p->ended->confirm(now);
  auto& at = *p->accepted;
  serve(at); // what came before the end
  if (!at.dry && !enough) return false;
  lose(suspect, {core::errc::unavailable, "the connection ended"});
  return true;
}

} // namespace penstock::transport
