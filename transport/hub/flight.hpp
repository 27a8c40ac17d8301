#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "transport/hub/board.hpp"

namespace penstock::transport {

/// What ZeroMQ holds of one connection's messages. It is given no more than it can soon send, so that messages share
/// bundles while the link is busy, and what a slow peer costs is bounded by the outbox, not by ZeroMQ's counts.
class flight {
 public:
  flight(hub_board& board, peer_id peer) : board_{board}, peer_{peer} {}

  /// Something was given to ZeroMQ.
  void add(std::size_t bytes) noexcept {
    ++parts_;
    bytes_ += bytes;
  }

  /// ZeroMQ gave it back, on any of its threads.
  void release(std::size_t bytes) {
    bytes_ -= bytes;
    --parts_;
    released_.fetch_add(1, std::memory_order_relaxed);
    if (wanted_ && is_low() && wanted_.exchange(false)) board_.announce(peer_);
  }

  /// Whether more may be given. Otherwise the peer is announced once there is room.
  [[nodiscard]] bool room() noexcept {
    if (bytes_ < most_bytes && parts_ < most_parts) return true;
    wanted_ = true;
    return is_low() && wanted_.exchange(false); // it may have become low before it was wanted
  }

  /// Grows whenever the connection takes something.
  [[nodiscard]] std::uint64_t released() const noexcept { return released_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t most_bytes = std::size_t{32} << 20U;
  static constexpr std::size_t most_parts = 512;

  [[nodiscard]] bool is_low() const noexcept { return bytes_ <= most_bytes / 2 && parts_ <= most_parts / 2; }

  hub_board& board_;
  peer_id peer_;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> parts_{0};
  std::atomic<std::uint64_t> released_{0};
  std::atomic<bool> wanted_{false};
};

} // namespace penstock::transport
