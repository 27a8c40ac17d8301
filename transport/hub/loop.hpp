#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>
#include <zmq.hpp>

#include "transport/hub/outbox.hpp"
#include "transport/hub/sockets.hpp"
#include "transport/hub/zap.hpp"

namespace penstock::transport {

struct atomic_counters {
  std::atomic<std::uint64_t> messages_sent{0};
  std::atomic<std::uint64_t> messages_received{0};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> refused_full{0};
  std::atomic<std::uint64_t> refused_messages{0};
  std::atomic<std::uint64_t> refused_keys{0};
  std::atomic<std::uint64_t> connections_lost{0};
};

/// What callers and the hub's thread share.
struct hub_board {
  std::mutex mutex;
  std::unordered_map<std::uint64_t, std::shared_ptr<outbox>> outboxes; ///< of peers that can be sent to
  std::vector<peer_id> waiting;                                        ///< whose outbox has something new
  std::vector<std::function<void()>> requests;                         ///< to be done by the thread
  bool awake = true; ///< it will look at all of this without being woken
  atomic_counters counters;
};

/// The hub's thread: owns every socket. All members are for that thread, but for the constructor.
class hub_loop {
 public:
  using clock = std::chrono::steady_clock;

  hub_loop(const hub_options& options, hub_board& board, int wake_fd);

  /// Serves until `stop`; then sends what waits for at most a second.
  void run();
  void stop() noexcept { stopping_ = true; }

  [[nodiscard]] std::string listen(const std::string& address, link_events events); ///< throws zmq::error_t
  [[nodiscard]] peer_id dial(const std::string& address, link_events events);
  void close(peer_id id, bool flush);

 private:
  struct listener {
    zmq::socket_t router;
    std::unique_ptr<connection_monitor> monitor;
    link_events events;
    std::unordered_map<std::string, peer_id> ids; ///< by routing id
    std::unordered_map<int, peer_id> fds;
  };

  struct dialler {
    std::string address;
    link_events events;
    zmq::socket_t dealer;
    std::unique_ptr<connection_monitor> monitor;
    bool connected = false;
    clock::time_point next_attempt; ///< while there is no socket
    clock::time_point give_up;      ///< while it is connecting
    std::chrono::milliseconds backoff{0};
    bool over = false; ///< closed; to be swept
  };

  struct peer {
    peer_id id;
    listener* accepted = nullptr; ///< one of the two
    dialler* dialled = nullptr;
    std::string routing_id;
    int fd = -1;
    std::shared_ptr<outbox> out;
    std::optional<parts> stuck; ///< did not fit into the socket
    clock::time_point stuck_since;
    bool closing = false; ///< forget it once nothing waits
  };

  /// An accepted peer whose connection may have ended; asked again until that is clear.
  struct suspect {
    peer_id id;
    clock::time_point until;
  };

  [[nodiscard]] std::chrono::milliseconds patience(clock::time_point now) const;
  void poll(std::chrono::milliseconds wait);
  void take_requests();
  void tend_diallers(clock::time_point now);
  void serve(listener& from);
  void serve(dialler& from);
  void deliver(peer& from, const link_events& events, const received_bundle& bundle);
  void greet(listener& at, received_bundle& bundle);
  void watch(listener& of);
  void watch(dialler& of, clock::time_point now);
  void connect(dialler& to, clock::time_point now);
  void disconnected(dialler& from, const std::string& why, clock::time_point now);
  void question(clock::time_point now);
  void flush_waiting(clock::time_point now);
  void retry_stuck(clock::time_point now);
  [[nodiscard]] bool flush(peer& to, clock::time_point now);
  [[nodiscard]] sent send_to(peer& to, parts& bundle);
  void answer(listener& at, const std::string& routing_id, const message& m);
  void lose(peer_id id, const core::error& why);
  void forget(peer_id id);
  peer* find(peer_id id);
  peer& add_peer();
  void publish(peer& p);
  void retract(const peer& p);

  const hub_options options_;
  hub_board& board_;
  int wake_fd_;
  zmq::context_t context_;
  std::optional<gatekeeper> gate_;
  std::vector<std::unique_ptr<listener>> listeners_;
  std::map<std::uint64_t, std::unique_ptr<dialler>> diallers_;
  std::unordered_map<std::uint64_t, std::unique_ptr<peer>> peers_;
  std::vector<peer_id> stuck_;
  std::vector<suspect> suspects_;
  std::uint64_t next_peer_ = 1;
  std::mt19937_64 jitter_{std::random_device{}()};
  std::vector<zmq::pollitem_t> items_;
  bool stopping_ = false;
};

} // namespace penstock::transport
