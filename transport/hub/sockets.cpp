#include "transport/hub/sockets.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace penstock::transport {

void configure(zmq::socket_t& socket, const hub_options& options) {
  // Credit decides what is in flight, and `flight` what ZeroMQ is given of it; these are what stands behind both.
  constexpr int most_bundles_out = 1000;
  constexpr int most_bundles_in = 128;
  socket.set(zmq::sockopt::sndhwm, most_bundles_out);
  socket.set(zmq::sockopt::rcvhwm, most_bundles_in);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(options.limits.payload_bytes));
  socket.set(zmq::sockopt::linger, 0);
  const auto heartbeat = static_cast<int>(options.heartbeat.count());
  socket.set(zmq::sockopt::heartbeat_ivl, heartbeat);
  socket.set(zmq::sockopt::heartbeat_timeout, 4 * heartbeat);
  socket.set(zmq::sockopt::heartbeat_ttl, 4 * heartbeat);
  socket.set(zmq::sockopt::handshake_ivl, static_cast<int>(options.handshake.count()));
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  // Frees what waits for a peer that was given up: the kernel ends the connection.
  socket.set(zmq::sockopt::tcp_maxrt, static_cast<int>(2 * options.stuck.count()));
}

void secure(zmq::socket_t& socket, const hub_options& options, bool listens) {
  if (listens) socket.set(zmq::sockopt::zap_domain, "penstock"); // the gatekeeper is asked, keys or not
  if (!options.keys) return;
  socket.set(zmq::sockopt::curve_secretkey, options.keys->own.secret_key);
  if (listens) {
    socket.set(zmq::sockopt::curve_server, true);
  } else {
    socket.set(zmq::sockopt::curve_publickey, options.keys->own.public_key);
    socket.set(zmq::sockopt::curve_serverkey, options.keys->server_key);
  }
}

namespace {

/// Memory that ZeroMQ uses until it calls `free_loan`.
struct loan {
  std::vector<std::byte> header; ///< one of the two
  shared_bytes payload;
  std::shared_ptr<flight> account;
};

void free_loan(void* data, void* hint) {
  const std::unique_ptr<loan> ended{static_cast<loan*>(hint)};
  const auto size = data == ended->header.data() ? ended->header.size() : ended->payload.bytes.size();
  if (ended->account) ended->account->release(size);
}

zmq::message_t message_of(std::unique_ptr<loan> lent) {
  const auto bytes = lent->header.empty() ? lent->payload.bytes : std::span<const std::byte>{lent->header};
  if (lent->account) lent->account->add(bytes.size());
  return {const_cast<std::byte*>(bytes.data()), bytes.size(), free_loan, lent.release()};
}

} // namespace

sent send(zmq::socket_t& socket, const std::string* to, parts& bundle, const std::shared_ptr<flight>& account) {
  const auto more = [&](std::size_t behind) {
    return zmq::send_flags::dontwait | (behind > 0 ? zmq::send_flags::sndmore : zmq::send_flags::none);
  };
  const auto behind_header = bundle.payloads.size();
  try {
    // The first part alone decides: ZeroMQ takes the others of a message whose first part it took.
    if (to != nullptr) {
      if (!socket.send(zmq::buffer(*to), more(1))) return sent::would_block;
    } else if (!(socket.get(zmq::sockopt::events) & ZMQ_POLLOUT)) {
      return sent::would_block;
    }
    if (!socket.send(message_of(std::make_unique<loan>(loan{std::move(bundle.header), {}, account})),
                     more(behind_header)))
      return sent::unreachable;
    for (std::size_t i = 0; i < behind_header; ++i) {
      if (!socket.send(message_of(std::make_unique<loan>(loan{{}, std::move(bundle.payloads[i]), account})),
                       more(behind_header - i - 1)))
        return sent::unreachable;
    }
    return sent::all;
  } catch (const zmq::error_t& e) {
    if (e.num() == EHOSTUNREACH) return sent::unreachable;
    throw;
  }
}

std::optional<received_bundle> receive(zmq::socket_t& socket, bool is_router, const wire_limits& limits) {
  received_bundle out;
  zmq::message_t part;
  if (is_router) {
    if (!socket.recv(part, zmq::recv_flags::dontwait)) return std::nullopt;
    out.from = part.to_string();
    if (!part.more() || !socket.recv(out.header, zmq::recv_flags::dontwait)) return out;
  } else if (!socket.recv(out.header, zmq::recv_flags::dontwait)) {
    return std::nullopt;
  }
  out.fd = zmq_msg_get(out.header.handle(), ZMQ_SRCFD);
  auto* last = &out.header;
  std::shared_ptr<zmq::message_t> held;
  while (last->more()) {
    held = std::make_shared<zmq::message_t>();
    if (!socket.recv(*held, zmq::recv_flags::dontwait)) break;
    last = held.get();
    if (out.payloads.size() <= limits.payloads)
      out.payloads.push_back({held, {static_cast<const std::byte*>(held->data()), held->size()}});
  }
  return out;
}

connection_monitor::connection_monitor(zmq::context_t& context, zmq::socket_t& socket)
    : watched_{socket}, events_{context, zmq::socket_type::pair} {
  static std::atomic<std::uint64_t> number{0};
  const auto address = fmt::format("inproc://penstock-monitor-{}", number++);
  constexpr int wanted = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                         ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
  if (zmq_socket_monitor(watched_.handle(), address.c_str(), wanted) != 0) throw zmq::error_t{};
  events_.set(zmq::sockopt::linger, 0);
  events_.set(zmq::sockopt::rcvhwm, 0); // ZeroMQ's own thread must never wait for room
  events_.connect(address);
}

connection_monitor::~connection_monitor() { zmq_socket_monitor(watched_.handle(), nullptr, 0); }

std::optional<connection_event> connection_monitor::next() {
  zmq::message_t frame;
  if (!events_.recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
  connection_event event;
  std::int32_t value = 0;
  std::memcpy(&event.what, frame.data(), sizeof event.what);
  std::memcpy(&value, static_cast<const char*>(frame.data()) + sizeof event.what, sizeof value);
  event.fd = value;
  while (frame.more() && events_.recv(frame, zmq::recv_flags::dontwait)) {
  }
  return event;
}

} // namespace penstock::transport
