#include "metrics/server.hpp"

#include <civetweb.h>

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

} // namespace

struct server::impl {
  server_callbacks callbacks;
  mg_context* context = nullptr;
  std::uint16_t port = 0;

  ~impl() {
    if (context != nullptr) mg_stop(context);
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
      [](mg_connection* c, void* data) { return reply_state(c, impl::of(data).callbacks.healthy(), "healthy"); },
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
