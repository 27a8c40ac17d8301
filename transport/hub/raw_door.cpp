#include "transport/raw_door.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "transport/hub/doubt.hpp"
#include "transport/hub/guest.hpp"
#include "transport/hub/sockets.hpp"

namespace penstock::transport {

namespace {

using std::chrono::milliseconds;

/// Messages taken from the socket before others have their turn.
constexpr int most_in_a_row = 256;
constexpr milliseconds idle_interval{500};

} // namespace

class raw_door::impl final : public hub_guest {
 public:
  impl(std::string at, raw_events events, raw_options options)
      : address{std::move(at)}, events_{std::move(events)}, options_{std::move(options)} {}

  void open(zmq::context_t& context, const hub_options& with) override {
    router_ = zmq::socket_t{context, zmq::socket_type::router};
    configure(router_, with);
    secure(router_, with, true);
    const auto heartbeat = static_cast<int>(options_.heartbeat.count());
    router_.set(zmq::sockopt::heartbeat_ivl, heartbeat);
    router_.set(zmq::sockopt::heartbeat_timeout, 3 * heartbeat);
    router_.set(zmq::sockopt::heartbeat_ttl, 3 * heartbeat);
    router_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(options_.part_bytes));
    router_.set(zmq::sockopt::sndhwm, static_cast<int>(options_.answers));
    router_.set(zmq::sockopt::router_mandatory, true);
    monitor_ = std::make_unique<connection_monitor>(context, router_);
    router_.bind(address);
    address = router_.get(zmq::sockopt::last_endpoint);
  }

  void add_to(std::vector<zmq::pollitem_t>& items) override {
    if (!router_) return;
    items.push_back({router_.handle(), 0, ZMQ_POLLIN, 0});
    items.push_back({monitor_->socket().handle(), 0, ZMQ_POLLIN, 0});
  }

  milliseconds serve(clock::time_point now) override {
    if (!router_) return idle_interval;
    watch(now);
    bool dry = false;
    for (int i = 0; i < most_in_a_row && !dry; ++i) dry = !receive();
    question(now, dry);
    auto wait = dry ? idle_interval : milliseconds{0};
    for (const auto& s : suspects_) wait = std::min(wait, s.when.wait(now));
    return wait;
  }

  void close(milliseconds linger) override {
    if (!router_) return;
    router_.set(zmq::sockopt::linger, static_cast<int>(linger.count()));
    monitor_.reset();
    router_.close();
  }

  // -- asked for by others, on the hub's thread

  void send(peer_id to, parts& what) {
    const auto at = names_.find(to.value);
    if (!router_ || at == names_.end()) return;
    const auto name = at->second;
    const auto result = put(name, what.header);
    if (result == sent::unreachable) return lose(name);
    if (result == sent::all || !banned_.insert(name).second) return;
    refused_.fetch_add(1, std::memory_order_relaxed);
    events_.lost(to, {core::errc::timeout, "it does not read what it is sent"});
  }

  void shut_out(peer_id who, parts& last_words) {
    const auto at = names_.find(who.value);
    if (!router_ || at == names_.end()) return;
    const auto name = at->second;
    refused_.fetch_add(1, std::memory_order_relaxed);
    const bool listened_to = banned_.insert(name).second;
    static_cast<void>(put(name, last_words.header)); // who does not take it does not get it
    if (listened_to) events_.lost(who, {core::errc::unavailable, "it was shut out"});
  }

  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

  std::string address;

 private:
  struct peer {
    peer_id id;
    int fd = -1;
  };
  struct suspect {
    int fd = -1;
    doubt when;
  };

  /// False when there is nothing to receive.
  bool receive() {
    zmq::message_t from;
    if (!router_.recv(from, zmq::recv_flags::dontwait)) return false;
    const std::string name{static_cast<const char*>(from.data()), from.size()};
    std::vector<shared_bytes> whole;
    int fd = -1;
    for (bool more = from.more(); more;) {
      auto part = std::make_shared<zmq::message_t>();
      if (!router_.recv(*part, zmq::recv_flags::dontwait)) break;
      more = part->more();
      fd = zmq_msg_get(part->handle(), ZMQ_SRCFD);
      const std::span bytes{static_cast<const std::byte*>(part->data()), part->size()};
      if (whole.size() <= options_.parts) whole.push_back({std::move(part), bytes});
    }
    // Who connects may choose a routing id that was another's, or its own before.
    if (const auto known = peers_.find(name); known != peers_.end() && fd >= 0 && known->second.fd != fd) lose(name);
    if (banned_.contains(name)) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
    if (!whole.empty()) events_.received(greet(name, fd), std::move(whole));
    return true;
  }

  peer_id greet(const std::string& name, int fd) {
    const auto known = peers_.find(name);
    if (known != peers_.end()) return known->second.id;
    if (const auto old = fds_.find(fd); old != fds_.end()) lose(old->second);
    const peer made{{next_peer_++}, fd};
    peers_.emplace(name, made);
    names_.emplace(made.id.value, name);
    fds_[fd] = name;
    return made.id;
  }

  sent put(const std::string& to, const std::vector<std::byte>& what) {
    try {
      if (!router_.send(zmq::buffer(to), zmq::send_flags::sndmore | zmq::send_flags::dontwait))
        return sent::would_block;
      // ZeroMQ takes the rest of a message whose first part it took.
      return router_.send(zmq::buffer(what), zmq::send_flags::dontwait) ? sent::all : sent::unreachable;
    } catch (const zmq::error_t& e) {
      if (e.num() == EHOSTUNREACH) return sent::unreachable;
      throw;
    }
  }

  void lose(std::string name) {
    const auto at = peers_.find(name);
    if (at == peers_.end()) return;
    const auto gone = at->second;
    if (const auto fd = fds_.find(gone.fd); fd != fds_.end() && fd->second == name) fds_.erase(fd);
    names_.erase(gone.id.value);
    peers_.erase(at);
    if (banned_.erase(name) == 0) events_.lost(gone.id, {core::errc::unavailable, "the connection ended"});
  }

  void watch(clock::time_point now) {
    while (const auto event = monitor_->next())
      if (event->what == ZMQ_EVENT_DISCONNECTED) suspects_.push_back({event->fd, doubt{now}});
  }

  void question(clock::time_point now, bool dry) {
    for (auto& s : std::exchange(suspects_, {}))
      if (!is_settled(s, now, dry)) suspects_.push_back(s);
  }

  bool is_settled(suspect& s, clock::time_point now, bool dry) {
    const bool enough = s.when.is_over(now);
    const auto at = fds_.find(s.fd);
    if (at == fds_.end()) return dry; // its first message may still wait
    // What came before the end comes first.
    if (!s.when.is_due(now) || (!dry && !enough)) return false;
    const auto name = at->second;
    s.when.put_off(now);
    if (put(name, options_.probe) != sent::unreachable) return enough && dry;
    lose(name);
    return dry; // else something of it may still come, as of a new peer
  }

  raw_events events_;
  raw_options options_;
  zmq::socket_t router_;
  std::unique_ptr<connection_monitor> monitor_;
  std::unordered_map<std::string, peer> peers_;          ///< by routing id
  std::unordered_map<std::uint64_t, std::string> names_; ///< routing ids
  std::unordered_map<int, std::string> fds_;             ///< routing ids, by descriptor
  std::unordered_set<std::string> banned_;               ///< routing ids of connections that are not listened to
  std::vector<suspect> suspects_;
  std::uint64_t next_peer_ = 1;
  std::atomic<std::uint64_t> refused_{0};
};

core::expected<std::unique_ptr<raw_door>> raw_door::open(hub& at, const std::string& address, raw_events events,
                                                         bool insecure, raw_options options) {
  auto state = std::make_shared<impl>(address, std::move(events), std::move(options));
  if (auto opened = at.attach(state, address, insecure); !opened) return tl::unexpected{opened.error()};
  auto bound = state->address;
  return std::unique_ptr<raw_door>{new raw_door{at, std::move(state), std::move(bound)}};
}

raw_door::raw_door(hub& at, std::shared_ptr<impl> state, std::string address)
    : hub_{at}, impl_{std::move(state)}, address_{std::move(address)} {}

raw_door::~raw_door() = default;

void raw_door::send(peer_id to, parts what) {
  hub_.request([state = impl_, to, what = std::move(what)]() mutable { state->send(to, what); });
}

void raw_door::shut_out(peer_id peer, parts last_words) {
  hub_.request(
      [state = impl_, peer, last_words = std::move(last_words)]() mutable { state->shut_out(peer, last_words); });
}

std::uint64_t raw_door::refused_messages() const noexcept { return impl_->refused(); }

} // namespace penstock::transport
