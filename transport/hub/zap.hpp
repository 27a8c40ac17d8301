#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <zmq.hpp>

#include "transport/keys.hpp"

namespace penstock::transport {

/// Answers ZeroMQ's question (ZAP, RFC 27) whether a connection may join: with one of the ring's keys, or, without a
/// ring, whoever speaks ZMTP 3. (Older versions know no such question and end there. That is wanted: libzmq 4.3.4 ends
/// the process when a socket is closed while such a connection begins.)
class gatekeeper {
 public:
  /// At most one in a context.
  gatekeeper(zmq::context_t& context, const std::optional<key_ring>& ring);

  [[nodiscard]] zmq::socket_t& socket() noexcept { return questions_; }

  /// Answers what was asked; returns how many were turned away.
  [[nodiscard]] std::size_t answer();

 private:
  zmq::socket_t questions_;
  bool needs_key_;
  std::set<std::string> allowed_;
  std::string last_refused_; ///< address that was logged last
};

} // namespace penstock::transport
