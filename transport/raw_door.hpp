#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "transport/hub.hpp"
#include "transport/wire.hpp"

namespace penstock::transport {

/// What a raw door tells, on the hub's thread: short, no throwing, no blocking.
struct raw_events {
  /// A whole message. Peers exist with their first one.
  std::function<void(peer_id, std::vector<shared_bytes>&& parts)> received;
  /// The last that is heard of a peer: its connection ended, it does not take what it is sent (`timeout`), or it was
  /// shut out.
  std::function<void(peer_id, const core::error&)> lost;
};

struct raw_options {
  std::size_t part_bytes = std::size_t{33} << 20U; ///< connections that send larger parts end
  std::size_t parts = 2;                           ///< of one message; one more is passed on, the rest thrown away
  /// What may wait for a peer. One for which there is more does not read, and is lost: so it is above what many streams
  /// on one connection can have to be told at once. Takes no memory before it is used.
  std::size_t answers = 1000;
  std::chrono::milliseconds heartbeat{5000}; ///< of ZMTP, to see dead connections
  std::vector<std::byte> probe;              ///< a message without meaning, to see whether a peer is there
};

/// A ROUTER for programs that speak another protocol than that of links; its socket is on a hub's thread. Peer ids are
/// its own. Thread-safe.
class raw_door {
 public:
  /// Errors as `hub::listen`. The hub must outlive the door.
  [[nodiscard]] static core::expected<std::unique_ptr<raw_door>>
  open(hub& at, const std::string& address, raw_events events, bool insecure, raw_options options = {});
  ~raw_door();
  raw_door(const raw_door&) = delete;
  raw_door& operator=(const raw_door&) = delete;

  /// Never blocks. Messages to one peer arrive in order, or the peer is `lost`.
  void send(peer_id to, parts what);

  /// Sends last words; what the peer still sends is thrown away and counted as refused. It is reported as lost, once,
  /// behind everything that was received from it.
  void shut_out(peer_id peer, parts last_words);

  /// With its real port.
  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  [[nodiscard]] std::uint64_t refused_messages() const noexcept;

 private:
  class impl;
  raw_door(hub& at, std::shared_ptr<impl> state, std::string address);
  hub& hub_;
  std::shared_ptr<impl> impl_;
  std::string address_;
};

} // namespace penstock::transport
