#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "transport/hub.hpp"
#include "transport/hub/flight.hpp"
#include "transport/wire.hpp"

/// What the hub needs of ZeroMQ, in its own words.
namespace penstock::transport {

/// Options that every link has: bounded queues, bounded messages, dead connections seen, no waiting at the end.
void configure(zmq::socket_t& socket, const hub_options& options);

/// Encrypts a socket with the ring's keys, if there are any, as the side that listens or dials. Who listens asks the
/// context's gatekeeper about each connection.
void secure(zmq::socket_t& socket, const hub_options& options, bool listens);

/// Sends a bundle, all of it or nothing.
enum class sent : std::uint8_t { all, would_block, unreachable };

/// To a ROUTER's peer, or (no `to`) by a DEALER. On `all` the bundle is used up, and accounted for (if at all) in
/// `account` while ZeroMQ holds it.
[[nodiscard]] sent send(zmq::socket_t& socket, const std::string* to, parts& bundle,
                        const std::shared_ptr<flight>& account);

/// What a socket received.
struct received_bundle {
  std::string from; ///< the routing id, from a ROUTER
  int fd = -1;      ///< of the connection
  zmq::message_t header;
  std::vector<shared_bytes> payloads;

  [[nodiscard]] std::span<const std::byte> header_bytes() const noexcept {
    return {static_cast<const std::byte*>(header.data()), header.size()};
  }
};

/// The next whole message; empty when there is none. Parts beyond `limits.payloads` are thrown away, and one more than
/// that many are reported.
[[nodiscard]] std::optional<received_bundle> receive(zmq::socket_t& socket, bool is_router, const wire_limits& limits);

/// Something happened to a connection.
struct connection_event {
  std::uint16_t what = 0; ///< ZMQ_EVENT_…
  int fd = -1;
};

/// Watches a socket's connections. The monitored socket must outlive it.
class connection_monitor {
 public:
  connection_monitor(zmq::context_t& context, zmq::socket_t& socket);
  ~connection_monitor();
  connection_monitor(const connection_monitor&) = delete;
  connection_monitor& operator=(const connection_monitor&) = delete;

  [[nodiscard]] zmq::socket_t& socket() noexcept { return events_; }
  [[nodiscard]] std::optional<connection_event> next();

 private:
  zmq::socket_t& watched_;
  zmq::socket_t events_;
};

} // namespace penstock::transport
