#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "transport/keys.hpp"
#include "transport/message.hpp"
#include "transport/wire.hpp"

namespace penstock::transport {

/// One other end of a link, never used again for another.
struct peer_id {
  std::uint64_t value = 0;
  auto operator<=>(const peer_id&) const = default;
};

/// What became of a message given to `hub::send`.
enum class send_result : std::uint8_t {
  queued, ///< it goes out, or the peer's end is reported
  full,   ///< the peer's queue is full: the caller gave more than it had credit for, or the peer does not read
  gone,   ///< the peer is not there (any more)
};

/// What an end point tells, on the hub's thread: short, no throwing, no blocking.
struct link_events {
  std::function<void(peer_id, message&&)> received;
  /// A dialled peer is connected (again). Accepted peers exist with their first message, a hello.
  std::function<void(peer_id)> connected = [](peer_id) {};
  /// The connection's end was seen, or the peer broke the protocol (`corrupt`, `too_large`, `unsupported`), or does not
  /// take what it is sent (`timeout`). A dialled peer is dialled again with backoff and may be `connected` anew.
  std::function<void(peer_id, const core::error&)> lost;
  /// Dialled peers: an attempt to connect failed; the next follows.
  std::function<void(peer_id, const core::error&)> unreachable = [](peer_id, const core::error&) {};
};

struct hub_options {
  std::optional<key_ring> keys; ///< none: links are not encrypted
  wire_limits limits;
  std::size_t queue_messages = 4096;                 ///< for one peer, the backstop behind credit
  std::size_t queue_bytes = std::size_t{512} << 20U; ///< likewise
  std::chrono::milliseconds heartbeat{500};          ///< of ZMTP, to see dead connections
  std::chrono::milliseconds handshake{5000};         ///< longest time until a connection is a peer
  std::chrono::milliseconds reconnect_min{50};
  std::chrono::milliseconds reconnect_max{2000};
  /// A peer that takes nothing of what waits for it for so long is given up. Whatever is sent must pass within that
  /// time.
  std::chrono::milliseconds stuck{10'000};
};

/// What went over the links since the start, for metrics.
struct hub_counters {
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_sent = 0; ///< headers and payloads
  std::uint64_t bytes_received = 0;
  std::uint64_t refused_full = 0;     ///< `send_result::full`, and EAGAIN of a socket after which a peer was given up
  std::uint64_t refused_messages = 0; ///< from outside: not of the protocol, too large, another version
  std::uint64_t refused_keys = 0;     ///< connections with a key that is not listed
  std::uint64_t ended_early = 0; ///< connections that ended before a message: not ZMTP 3, or without what keys ask for
  std::uint64_t connections_lost = 0;
};

class hub_guest;

/// One thread that owns every ZeroMQ socket of the process. Others give it messages through a bounded queue per peer
/// and wake it; it never blocks on a peer. Thread-safe.
class hub {
 public:
  [[nodiscard]] static core::expected<std::unique_ptr<hub>> start(hub_options options);
  ~hub(); ///< sends what is queued for at most a second, then closes. Not on its own thread.
  hub(const hub&) = delete;
  hub& operator=(const hub&) = delete;

  /// Accepts peers on `tcp://HOST:PORT` (port 0 or `*`: any), `ipc://`. Returns the address with its real port. Error:
  /// `bad_config` (address, or beyond loopback without keys and without `insecure`), `io` (in use).
  [[nodiscard]] core::expected<std::string> listen(const std::string& address, link_events events, bool insecure);

  /// Connects, and again with backoff whenever the connection is lost, until `close`. `connected` says when messages
  /// can be sent; before that, and after `lost`, they are `gone`: both ends begin anew with each connection.
  /// `server_key`: the other end's public key, where that is not the head's.
  [[nodiscard]] core::expected<peer_id> dial(const std::string& address, link_events events,
                                             const std::string& server_key = {});

  /// Never blocks. Messages to one peer arrive in order, or the peer is `lost`.
  [[nodiscard]] send_result send(peer_id to, const message& m);

  /// Forgets the peer, of which no more is heard: what it still sends is answered with `refused{rejoin}`. If `flush`,
  /// what is queued for it goes out before.
  void close(peer_id peer, bool flush = true);

  [[nodiscard]] hub_counters counters() const;

  // -- for this room: sockets of other protocols on the same thread (raw_door.hpp, publisher.hpp)

  /// Errors as `listen`, whose rules for addresses hold.
  [[nodiscard]] core::expected<void> attach(std::shared_ptr<hub_guest> guest, const std::string& address,
                                            bool insecure);
  /// Has the thread do something.
  void request(std::function<void()> what);

 private:
  struct impl;
  explicit hub(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::transport
