#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "transport/keys.hpp"
#include "transport/push.hpp"

namespace penstock::transport {

/// One connection of a producer to a head. One thread at a time.
class push_client {
 public:
  /// Waits until the head has answered the handshake. Errors: `unavailable` (nobody there, or keys that do not fit),
  /// `bad_config` (no such address).
  [[nodiscard]] static core::expected<push_client>
  connect(const std::string& address, const std::optional<key_ring>& keys, std::chrono::milliseconds patience);
  ~push_client();
  push_client(push_client&&) noexcept;
  push_client& operator=(push_client&&) noexcept;

  /// Error `unavailable`: the connection has ended.
  [[nodiscard]] core::expected<void> send(const push::message& m);

  /// The next message of the head; nothing if none came within that time. Errors: `unavailable`, and `corrupt` for what
  /// no head says.
  [[nodiscard]] core::expected<std::optional<push::message>> receive(std::chrono::milliseconds wait);

 private:
  struct impl;
  explicit push_client(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::transport
