#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "transport/hub.hpp"

namespace penstock::transport {

struct publisher_options {
  std::size_t queue_messages = 16'384;              ///< given and not yet taken by ZeroMQ
  std::size_t queue_bytes = std::size_t{64} << 20U; ///< likewise
  int subscriber_messages = 10'000; ///< that wait for one subscriber; it loses what does not fit, and cannot be asked
};

struct publisher_counters {
  std::uint64_t published = 0;
  std::uint64_t refused = 0;     ///< the queue was full
  std::uint64_t subscribers = 0; ///< connections now
};

/// A PUB socket on a hub's thread: messages of a topic and a body, to whoever subscribed to a prefix of the topic.
/// Thread-safe.
class publisher {
 public:
  /// Errors as `hub::listen`. The hub must outlive the publisher.
  [[nodiscard]] static core::expected<std::unique_ptr<publisher>> open(hub& at, const std::string& address,
                                                                       bool insecure, publisher_options options = {});
  ~publisher();
  publisher(const publisher&) = delete;
  publisher& operator=(const publisher&) = delete;

  /// Never blocks; false: the queue is full, and the message is not taken.
  [[nodiscard]] bool publish(std::string_view topic, std::string_view body);

  /// With its real port.
  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  [[nodiscard]] publisher_counters counters() const noexcept;

 private:
  class impl;
  publisher(hub& at, std::shared_ptr<impl> state, std::string address);
  hub& hub_;
  std::shared_ptr<impl> impl_;
  std::string address_;
};

} // namespace penstock::transport
