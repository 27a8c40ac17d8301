#include "transport/publisher.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

#include "transport/hub/guest.hpp"
#include "transport/hub/sockets.hpp"

namespace penstock::transport {

class publisher::impl final : public hub_guest {
 public:
  impl(std::string at, publisher_options options) : address{std::move(at)}, options_{options} {}

  void open(zmq::context_t& context, const hub_options& with) override {
    socket_ = zmq::socket_t{context, zmq::socket_type::pub};
    configure(socket_, with);
    socket_.set(zmq::sockopt::maxmsgsize, std::int64_t{1024}); // that it receives: subscriptions
    secure(socket_, with, true);
    socket_.set(zmq::sockopt::sndhwm, options_.subscriber_messages);
    monitor_ = std::make_unique<connection_monitor>(context, socket_);
    socket_.bind(address);
    address = socket_.get(zmq::sockopt::last_endpoint);
  }

  void add_to(std::vector<zmq::pollitem_t>& items) override {
    if (!socket_) return;
    // Subscriptions are handled inside ZeroMQ whenever something is published.
    items.push_back({monitor_->socket().handle(), 0, ZMQ_POLLIN, 0});
  }

  std::chrono::milliseconds serve(clock::time_point) override {
    if (socket_) {
      while (const auto event = monitor_->next()) {
        if (event->what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) ++subscribers_;
        if (event->what == ZMQ_EVENT_DISCONNECTED && subscribers_ > 0) --subscribers_;
      }
      flush();
    }
    constexpr std::chrono::milliseconds idle_interval{500};
    return idle_interval;
  }

  void close(std::chrono::milliseconds linger) override {
    if (!socket_) return;
    flush();
    socket_.set(zmq::sockopt::linger, static_cast<int>(linger.count()));
    monitor_.reset();
    socket_.close();
  }

  /// Any thread. `first`: nothing waited before it.
  bool put(std::string_view topic, std::string_view body, bool& first) {
    const std::lock_guard lock{mutex_};
    const auto bytes = topic.size() + body.size();
    if (waiting_.size() >= options_.queue_messages || bytes_ + bytes > options_.queue_bytes) {
      ++refused_;
      return false;
    }
    first = waiting_.empty();
    waiting_.emplace_back(topic, body);
    bytes_ += bytes;
    return true;
  }

  /// The hub's thread.
  void flush() {
    if (!socket_) return;
    std::deque<std::pair<std::string, std::string>> taken;
    {
      const std::lock_guard lock{mutex_};
      taken.swap(waiting_);
      bytes_ = 0;
    }
    for (const auto& [topic, body] : taken) {
      // A PUB socket always takes everything: it drops for those who do not read.
      if (!socket_.send(zmq::buffer(topic), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) continue;
      if (socket_.send(zmq::buffer(body), zmq::send_flags::dontwait)) ++published_;
    }
  }

  [[nodiscard]] publisher_counters counters() const noexcept { return {published_, refused_, subscribers_}; }

  std::string address;

 private:
  publisher_options options_;
  zmq::socket_t socket_;
  std::unique_ptr<connection_monitor> monitor_;
  std::mutex mutex_;
  std::deque<std::pair<std::string, std::string>> waiting_;
  std::size_t bytes_ = 0;
  std::atomic<std::uint64_t> published_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> subscribers_{0};
};

core::expected<std::unique_ptr<publisher>> publisher::open(hub& at, const std::string& address, bool insecure,
                                                           publisher_options options) {
  auto state = std::make_shared<impl>(address, options);
  if (auto opened = at.attach(state, address, insecure); !opened) return tl::unexpected{opened.error()};
  auto bound = state->address;
  return std::unique_ptr<publisher>{new publisher{at, std::move(state), std::move(bound)}};
}

publisher::publisher(hub& at, std::shared_ptr<impl> state, std::string address)
    : hub_{at}, impl_{std::move(state)}, address_{std::move(address)} {}

publisher::~publisher() = default;

bool publisher::publish(std::string_view topic, std::string_view body) {
  bool first = false;
  if (!impl_->put(topic, body, first)) return false;
  if (first) hub_.request([state = impl_] { state->flush(); });
  return true;
}

publisher_counters publisher::counters() const noexcept { return impl_->counters(); }

} // namespace penstock::transport
