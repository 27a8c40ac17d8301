#pragma once

#include <set>
#include <string>
#include <zmq.hpp>

#include "transport/keys.hpp"

namespace penstock::transport {

/// Answers ZeroMQ's question (ZAP, RFC 27) whether a connection's CURVE key may join.
class gatekeeper {
 public:
  /// At most one in a context.
  gatekeeper(zmq::context_t& context, const key_ring& ring);

  [[nodiscard]] zmq::socket_t& socket() noexcept { return questions_; }

  /// Answers what was asked; returns how many were turned away.
  [[nodiscard]] std::size_t answer();

 private:
  zmq::socket_t questions_;
  std::set<std::string> allowed_;
  std::string last_refused_; ///< address that was logged last
};

} // namespace penstock::transport
