#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "transport/hub.hpp"

namespace penstock::transport {

class outbox;

struct atomic_counters {
  std::atomic<std::uint64_t> messages_sent{0};
  std::atomic<std::uint64_t> messages_received{0};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> refused_full{0};
  std::atomic<std::uint64_t> refused_messages{0};
  std::atomic<std::uint64_t> refused_keys{0};
  std::atomic<std::uint64_t> ended_early{0};
  std::atomic<std::uint64_t> connections_lost{0};
};

/// Where others leave work for the hub's thread, and what wakes it. Thread-safe.
class hub_board {
 public:
  hub_board() = default;
  ~hub_board();
  hub_board(const hub_board&) = delete;
  hub_board& operator=(const hub_board&) = delete;

  [[nodiscard]] core::expected<void> open();
  [[nodiscard]] int wake_fd() const noexcept { return wake_fd_; }

  /// Something can be sent to the peer.
  void announce(peer_id peer);
  /// Something is to be done by the thread.
  void request(std::function<void()> what);

  void publish(peer_id peer, std::shared_ptr<outbox> out);
  void retract(peer_id peer);
  [[nodiscard]] std::shared_ptr<outbox> find(peer_id peer) const;

  // -- for the thread

  struct work {
    std::vector<peer_id> waiting;
    std::vector<std::function<void()>> requests;
  };
  /// Takes what there is.
  void take(work& into);
  /// False when there is work; otherwise the thread will be woken from now on.
  [[nodiscard]] bool may_sleep();
  /// The thread is up: it looks at all of this without being woken.
  void awoke(bool woken);

  atomic_counters counters;

 private:
  void wake() const;

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<outbox>> outboxes_; ///< of peers that can be sent to
  work work_;
  bool awake_ = true;
  int wake_fd_ = -1;
};

} // namespace penstock::transport
