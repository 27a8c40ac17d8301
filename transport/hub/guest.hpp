#pragma once

#include <chrono>
#include <memory>
#include <vector>
#include <zmq.hpp>

#include "transport/hub.hpp"

namespace penstock::transport {

/// Sockets of another protocol than that of links, on the hub's thread. All members are for that thread.
class hub_guest {
 public:
  using clock = std::chrono::steady_clock;

  hub_guest() = default;
  hub_guest(const hub_guest&) = delete;
  hub_guest& operator=(const hub_guest&) = delete;
  virtual ~hub_guest() = default;

  /// Makes its sockets; throws zmq::error_t.
  virtual void open(zmq::context_t& context, const hub_options& options) = 0;
  /// Adds what the thread is to wait for.
  virtual void add_to(std::vector<zmq::pollitem_t>& items) = 0;
  /// Does what can be done without waiting. Returns how long the thread may sleep at most.
  [[nodiscard]] virtual std::chrono::milliseconds serve(clock::time_point now) = 0;
  /// Ends its sockets; what they hold may go out for so long.
  virtual void close(std::chrono::milliseconds linger) = 0;
};

} // namespace penstock::transport
