#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include <zmq.hpp>

#include "transport/hub/board.hpp"
#include "transport/hub/doubt.hpp"
#include "transport/hub/flight.hpp"
#include "transport/hub/guest.hpp"
#include "transport/hub/outbox.hpp"
#include "transport/hub/sockets.hpp"
#include "transport/hub/zap.hpp"

namespace penstock::transport {

/// A context for more sockets than ZeroMQ allows by itself, which must be said before the first of them.
struct context_of_many : zmq::context_t {
  context_of_many();
};

/// The hub's thread: owns every socket. All members are for that thread, but for the constructor.
class hub_loop {
 public:
  using clock = std::chrono::steady_clock;

  hub_loop(const hub_options& options, hub_board& board);

  /// Serves until `stop`; then sends what waits for at most a second.
  void run();
  void stop() noexcept { stopping_ = true; }

  [[nodiscard]] std::string listen(const std::string& address, link_events events); ///< throws zmq::error_t
  [[nodiscard]] peer_id dial(const std::string& address, link_events events,
                             const std::string& server_key); ///< likewise
  void close(peer_id id, bool flush);
  void attach(std::shared_ptr<hub_guest> guest); ///< likewise

 private:
  struct listener {
    zmq::socket_t router;
    std::unique_ptr<connection_monitor> monitor;
    link_events events;
    std::unordered_map<std::string, peer_id> ids; ///< by routing id
    std::unordered_map<int, peer_id> fds;
    std::unordered_set<int> strangers; ///< connections that were refused, and logged
    std::unordered_set<int> ended;     ///< connections that ended, but what they sent may be yet to come
    bool dry = true;                   ///< nothing more to receive, when last asked
  };

  struct dialler {
    peer_id id;
    std::string address;
    std::string server_key; ///< empty: the ring's
    link_events events;
    zmq::socket_t dealer;
    std::unique_ptr<connection_monitor> monitor;
    bool connected = false;
    clock::time_point next_attempt; ///< while there is no socket
    clock::time_point give_up;      ///< while it is connecting
    std::chrono::milliseconds backoff{0};
    bool over = false; ///< closed; to be swept
  };

  /// Another end that is known. A dialled one stays while it is away.
  struct peer {
    peer_id id;
    listener* accepted = nullptr; ///< one of the two
    dialler* dialled = nullptr;
    std::string routing_id;
    int fd = -1;
    std::shared_ptr<outbox> out; ///< of this connection; null while there is none
    std::shared_ptr<flight> account;
    std::optional<parts> next; ///< did not fit into the socket
    bool blocked = false;      ///< it is in `blocked_`
    clock::time_point blocked_since;
    std::uint64_t released = 0; ///< by then
    bool closing = false;       ///< forget it once nothing waits
    bool turned_away = false;   ///< it was told so, meanwhile
    std::optional<doubt> ended; ///< its connection may be over; it is in `suspects_`
  };

  // loop.cpp
  [[nodiscard]] std::chrono::milliseconds patience(clock::time_point now) const;
  [[nodiscard]] bool is_all_sent() const;
  void poll(std::chrono::milliseconds wait);
  peer* find(peer_id id);
  peer& add_peer();
  void begin(peer& p);
  void end(peer& p);
  void lose(peer_id id, const core::error& why);
  void forget(peer_id id, bool flush);

  // connections.cpp
  void tend_diallers(clock::time_point now);
  void watch(listener& of, clock::time_point now);
  void watch(dialler& of, clock::time_point now);
  void connect(dialler& to, clock::time_point now);
  void hang_up(dialler& from, std::chrono::milliseconds linger);
  void disconnected(dialler& from, const std::string& why, clock::time_point now);
  void suspect_end(peer& p, clock::time_point now);
  void question(clock::time_point now);
  [[nodiscard]] bool is_settled(peer_id suspect, clock::time_point now);

  // traffic.cpp
  void serve(listener& from);
  [[nodiscard]] bool serve(dialler& from);
  void deliver(peer& from, const link_events& events, const received_bundle& bundle);
  void turn_away(peer& closing);
  void greet(listener& at, const received_bundle& bundle);
  void answer(listener& at, const std::string& routing_id, const message& m);
  void flush_waiting(clock::time_point now);
  void flush(peer& to, clock::time_point now);
  void block(peer& p, clock::time_point now);
  [[nodiscard]] sent send_to(peer& to, parts& bundle);

  const hub_options options_;
  hub_board& board_;
  context_of_many context_;
  gatekeeper gate_;
  std::vector<std::unique_ptr<listener>> listeners_;
  std::map<std::uint64_t, std::unique_ptr<dialler>> diallers_;
  std::unordered_map<std::uint64_t, std::unique_ptr<peer>> peers_;
  std::vector<std::shared_ptr<hub_guest>> guests_;
  std::chrono::milliseconds guests_patience_{0};
  hub_board::work work_;
  std::vector<peer_id> unfinished_; ///< had their turn and have more to send
  std::vector<peer_id> blocked_;    ///< take no more for now
  std::vector<peer_id> suspects_;   ///< accepted peers, asked again until it is clear whether they ended
  std::uint64_t next_peer_ = 1;
  std::mt19937_64 jitter_{std::random_device{}()};
  std::vector<zmq::pollitem_t> items_;
  bool stopping_ = false;
};

} // namespace penstock::transport
