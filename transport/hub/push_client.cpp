#include "transport/push_client.hpp"

#include <utility>
#include <vector>

#include "core/time.hpp"
#include "transport/hub/flight.hpp"
#include "transport/hub/sockets.hpp"

namespace penstock::transport {

struct push_client::impl {
  zmq::context_t context;
  zmq::socket_t dealer;
  std::unique_ptr<connection_monitor> monitor;
  bool ended = false;

  void watch() {
    while (const auto event = monitor->next())
      if (event->what == ZMQ_EVENT_DISCONNECTED) ended = true;
  }

  /// Waits for something from the head or for the connection.
  void wait(std::chrono::milliseconds time) {
    std::vector<zmq::pollitem_t> items{{dealer.handle(), 0, ZMQ_POLLIN, 0},
                                       {monitor->socket().handle(), 0, ZMQ_POLLIN, 0}};
    zmq::poll(items, time);
  }
};

core::expected<push_client> push_client::connect(const std::string& address, const std::optional<key_ring>& keys,
                                                 std::chrono::milliseconds patience) {
  hub_options options;
  options.keys = keys;
  auto state = std::make_unique<impl>();
  try {
    state->dealer = zmq::socket_t{state->context, zmq::socket_type::dealer};
    configure(state->dealer, options);
    secure(state->dealer, options, false);
    state->dealer.set(zmq::sockopt::reconnect_ivl, -1); // the next connection says open first
    state->dealer.set(zmq::sockopt::linger, 1000);
    state->monitor = std::make_unique<connection_monitor>(state->context, state->dealer);
    state->dealer.connect(address);
    const auto until = core::clock::now() + patience;
    while (core::clock::now() < until) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - core::clock::now());
      zmq::pollitem_t item{state->monitor->socket().handle(), 0, ZMQ_POLLIN, 0};
      zmq::poll(&item, 1, left);
      while (const auto event = state->monitor->next()) {
        if (event->what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return push_client{std::move(state)};
        return core::fail(core::errc::unavailable, address + ": nobody takes the connection, or its keys do not fit");
      }
    }
  } catch (const zmq::error_t& e) {
    return core::fail(core::errc::bad_config, address + ": " + e.what());
  }
  return core::fail(core::errc::unavailable, address + ": no answer in time");
}

push_client::push_client(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
push_client::~push_client() = default;
push_client::push_client(push_client&&) noexcept = default;
push_client& push_client::operator=(push_client&&) noexcept = default;

core::expected<void> push_client::send(const push::message& m) {
  auto bundle = push::encode(m);
  constexpr std::chrono::milliseconds interval{50};
  const auto until = core::clock::now() + hub_options{}.stuck;
  while (!impl_->ended && core::clock::now() < until) {
    const auto result = transport::send(impl_->dealer, nullptr, bundle, nullptr);
    if (result == sent::all) return {};
    if (result == sent::unreachable) break;
    zmq::pollitem_t item{impl_->dealer.handle(), 0, ZMQ_POLLOUT, 0};
    zmq::poll(&item, 1, interval);
    impl_->watch();
  }
  return core::fail(core::errc::unavailable, "the connection to the head ended");
}

core::expected<std::optional<push::message>> push_client::receive(std::chrono::milliseconds wait) {
  for (bool waited = false;; waited = true) {
    zmq::message_t part;
    if (impl_->dealer.recv(part, zmq::recv_flags::dontwait)) {
      const auto read = push::decode({static_cast<const std::byte*>(part.data()), part.size()}, {});
      if (!read) return tl::unexpected{read.error()};
      return std::optional{*read};
    }
    impl_->watch();
    if (impl_->ended) return core::fail(core::errc::unavailable, "the connection to the head ended");
    if (waited) return std::optional<push::message>{};
    impl_->wait(wait);
  }
}

} // namespace penstock::transport
