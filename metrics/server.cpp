#include "metrics/server.hpp"

#include <civetweb.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <string_view>
#include <utility>

namespace penstock::metrics {

namespace {

constexpr const char* text_format = "text/plain; version=0.0.4; charset=utf-8";

int reply(mg_connection* connection, int status, const char* type, const std::string& body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
            "Connection: close\r\n\r\n",
            status, mg_get_response_code_text(connection, status), type, body.size());
  mg_write(connection, body.data(), body.size());
  return status;
}

int reply_state(mg_connection* connection, bool good, const char* word) {
  return good ? reply(connection, 200, "text/plain", std::string{word} + "\n")
              : reply(connection, 503, "text/plain", "not " + std::string{word} + "\n");
}

int reply_health(mg_connection* connection, bool good, bool rich) {
  if (rich) return reply(connection, 200, "application/json", rich_health(good));
  return reply_state(connection, good, "healthy");
}

bool asks_for_json(const mg_connection* connection) {
  const char* accepted = mg_get_header(connection, "Accept");
  return accepted != nullptr && std::string_view{accepted}.find("application/json") != std::string_view::npos;
}

/// Connects and hangs up, for a server that looks up only when somebody comes.
void knock(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  const auto name = bracketed ? host.substr(1, host.size() - 2) : host;
  if (::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0) return;
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) {
    static_cast<void>(::connect(fd, found->ai_addr, found->ai_addrlen));
    ::close(fd);
  }
  ::freeaddrinfo(found);
}

} // namespace

struct server::impl {
  server_callbacks callbacks;
  mg_context* context = nullptr;
  std::string host;
  std::uint16_t port = 0;

  ~impl() {
    if (context == nullptr) return;
    // civetweb waits for connections two seconds at a time and sees that it is to stop only in between.
    const auto stopped = std::async(std::launch::async, [this] { mg_stop(context); });
    while (stopped.wait_for(std::chrono::milliseconds{5}) != std::future_status::ready) knock(host, port);
  }

  static impl& of(void* data) { return *static_cast<impl*>(data); }
};

server::server(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
server::~server() = default;

std::uint16_t server::port() const noexcept { return impl_->port; }

core::expected<std::unique_ptr<server>> server::listen(const std::string& address, server_callbacks callbacks) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size() ||
      address.find_first_not_of("0123456789", colon + 1) != std::string::npos) {
    return core::fail(core::errc::bad_config, "'" + address + "' is not HOST:PORT, as in 127.0.0.1:9100");
  }
  auto state = std::make_unique<impl>();
  state->callbacks = std::move(callbacks);
  state->host = address.substr(0, colon);
  const char* options[] = {"listening_ports",    address.c_str(), "num_threads", "2", "enable_directory_listing", "no",
                           "request_timeout_ms", "5000",          nullptr};
  mg_callbacks hooks{};
  hooks.log_message = [](const mg_connection*, const char*) { return 1; };
  state->context = mg_start(&hooks, state.get(), options);
  if (state->context == nullptr) return core::fail(core::errc::io, "cannot listen on " + address);
  mg_server_port ports[1]{};
  if (mg_get_server_ports(state->context, 1, ports) == 1) state->port = static_cast<std::uint16_t>(ports[0].port);

  mg_set_request_handler(
      state->context, "/metrics$",
      [](mg_connection* c, void* data) { return reply(c, 200, text_format, impl::of(data).callbacks.metrics()); },
      state.get());
  mg_set_request_handler(
      state->context, "/healthz$",
      [](mg_connection* c, void* data) {
        return reply_health(c, impl::of(data).callbacks.healthy(), asks_for_json(c));
      },
      state.get());
  mg_set_request_handler(
      state->context, "/healthz/rich$",
      [](mg_connection* c, void* data) { return reply_health(c, impl::of(data).callbacks.healthy(), true); },
      state.get());
  mg_set_request_handler(
      state->context, "/readyz$",
      [](mg_connection* c, void* data) { return reply_state(c, impl::of(data).callbacks.ready(), "ready"); },
      state.get());
  mg_set_request_handler(
      state->context, "/", [](mg_connection* c, void*) { return reply(c, 404, "text/plain", "not found\n"); },
      state.get());
  return std::unique_ptr<server>{new server{std::move(state)}};
}

} // namespace penstock::metrics
