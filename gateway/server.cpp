#include "gateway/server.hpp"

#include <utility> // before Asio of Boost 1.74, whose awaitable.hpp forgets it

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <thread>

#include "gateway/http/text.hpp"
#include "gateway/net/connection.hpp"
#include "gateway/routes/context.hpp"

namespace penstock::gateway {

using net::error_code;
using net::asio::awaitable;
using tcp = net::asio::ip::tcp;
using std::chrono::milliseconds;

struct server::impl {
  impl(const options& with, const api& parts, metrics::registry& registry)
      : how{with}, behind{parts}, counts{registry}, table{routes::all({how, behind, counts})}, gate{how, table, counts},
        hall{how, gate, counts}, acceptor{on->io}, reload{on->io}, pause{on->io} {}

  const options how;
  const api behind;
  figures counts;
  const routes::table table;
  door gate;
  std::shared_ptr<net::runtime> on = std::make_shared<net::runtime>();
  net::hall hall;
  tcp::acceptor acceptor;
  net::asio::steady_timer reload; ///< of certificates
  net::asio::steady_timer pause;  ///< when there is nothing to accept with
  std::shared_ptr<net::tls_context> tls;
  std::string tls_files;
  std::uint64_t connections = 0;
  std::uint16_t port = 0;
  bool stopping = false;
  std::thread thread;

  core::expected<void> open();
  awaitable<void> accept();
  void welcome(tcp::socket socket);
  awaitable<void> watch_certificate();
  void stop();
  void run();
};

core::expected<void> server::impl::open() {
  const auto colon = how.address.rfind(':');
  auto host = how.address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (how.tls.on()) {
    tls_files = net::tls_state(how.tls);
    auto loaded = net::load_tls(how.tls);
    if (!loaded) return tl::unexpected{loaded.error()};
    tls = std::move(*loaded);
  }
  const auto failed = [&](const error_code& ec) {
    return core::fail(core::errc::io, fmt::format("cannot listen on {}: {}", how.address, ec.message()));
  };
  error_code ec;
  tcp::resolver resolver{on->io};
  const auto found = resolver.resolve(host, how.address.substr(colon + 1), tcp::resolver::passive, ec);
  if (ec || found.empty()) return failed(ec);
  const auto at = found.begin()->endpoint();
  if (how.tokens.empty() && !at.address().is_loopback()) {
    if (!how.insecure) {
      return core::fail(core::errc::bad_config,
                        fmt::format("{} can be reached from other machines and there are no tokens: add some to "
                                    "http.tokens, or write security.insecure: true",
                                    how.address));
    }
    spdlog::warn("{}: no tokens are configured, so everybody who can reach this address may do everything",
                 how.address);
  }
  acceptor.open(at.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address{true}, ec);
  if (!ec) acceptor.bind(at, ec);
  if (!ec) acceptor.listen(tcp::acceptor::max_listen_connections, ec);
  if (ec) return failed(ec);
  port = acceptor.local_endpoint(ec).port();
  return {};
}

void server::impl::welcome(tcp::socket socket) {
  error_code ec;
  const auto peer = socket.remote_endpoint(ec);
  if (ec) return; // gone already
  auto ip = peer.address();
  if (ip.is_v6() && ip.to_v6().is_v4_mapped())
    ip = net::asio::ip::make_address_v4(net::asio::ip::v4_mapped, ip.to_v6());
  const auto address = ip.to_string();
  socket.set_option(tcp::no_delay{true}, ec);
  if (!hall.make_room(address)) {
    counts.refused(barred::connections);
    if (!tls) {
      auto no = http::refusal(503, to_string(barred::connections), "too many connections");
      no.headers.emplace_back("Retry-After", "1");
      const auto bytes = http::head_of(no, http::request_id({}, ++connections << 24U),
                                       fmt::format("Content-Length: {}\r\nConnection: close\r\n", no.body.size())) +
                         no.body;
      socket.non_blocking(true, ec);
      static_cast<void>(socket.write_some(net::asio::buffer(bytes), ec));
      socket.shutdown(tcp::socket::shutdown_send, ec);
    }
    return;
  }
  auto stream = tls ? net::tls_stream(std::move(socket), tls) : net::plain_stream(std::move(socket));
  const auto c = std::make_shared<net::connection>(on, hall, std::move(stream), address, ++connections);
  net::asio::co_spawn(
      on->io, [c] { return c->run(); },
      [c](const std::exception_ptr& failure) {
        if (!failure) return;
        try {
          std::rethrow_exception(failure);
        } catch (const std::exception& e) {
          spdlog::error("a connection failed: {}", e.what());
        }
        c->close();
      });
}

awaitable<void> server::impl::accept() {
  while (acceptor.is_open()) {
    tcp::socket socket{on->io};
    error_code ec;
    co_await acceptor.async_accept(socket, net::asio::redirect_error(net::asio::use_awaitable, ec));
    if (!ec) {
      welcome(std::move(socket));
    } else if (acceptor.is_open() && ec != net::asio::error::connection_aborted) {
      // Out of descriptors, most likely: others leave in time, and the rest waits in the kernel's queue.
      spdlog::warn("cannot accept a connection: {}", ec.message());
      pause.expires_after(milliseconds{100});
      co_await pause.async_wait(net::asio::redirect_error(net::asio::use_awaitable, ec));
    }
  }
}

awaitable<void> server::impl::watch_certificate() {
  while (!stopping) {
    reload.expires_after(how.tls.check_every);
    error_code ec;
    co_await reload.async_wait(net::asio::redirect_error(net::asio::use_awaitable, ec));
    if (ec || stopping) co_return;
    const auto state = net::tls_state(how.tls);
    if (state.empty() || state == tls_files) continue;
    tls_files = state;
    auto loaded = net::load_tls(how.tls);
    if (loaded) {
      tls = std::move(*loaded);
      spdlog::info("the certificate {} is in use for new connections", how.tls.certificate.string());
    } else {
      counts.series.certificate_failures.add();
      spdlog::error("the certificate has changed and cannot be used, the one before stays: {}", loaded.error().message);
    }
  }
}

void server::impl::stop() {
  stopping = true;
  error_code ignored;
  acceptor.close(ignored);
  reload.cancel();
  pause.cancel();
}

void server::impl::run() {
  for (;;) {
    try {
      on->io.run();
      return;
    } catch (const std::exception& e) {
      spdlog::error("the gateway's thread goes on after: {}", e.what());
    }
  }
}

core::expected<std::unique_ptr<server>> server::listen(const options& how, const api& behind,
                                                       metrics::registry& registry) {
  if (auto ok = validate(how); !ok) return tl::unexpected{ok.error()};
  if (behind.node == nullptr) return core::fail(core::errc::invalid_argument, "api.node must be there");
  auto state = std::make_shared<impl>(how, behind, registry);
  if (auto ok = state->open(); !ok) return tl::unexpected{ok.error()};
  auto* s = state.get();
  net::asio::co_spawn(
      s->on->io, [s] { return s->accept(); }, net::asio::detached);
  if (s->tls)
    net::asio::co_spawn(
        s->on->io, [s] { return s->watch_certificate(); }, net::asio::detached);
  s->thread = std::thread{[s] { s->run(); }};
  return std::unique_ptr<server>{new server{std::move(state)}};
}

server::server(std::shared_ptr<impl> state) : impl_{std::move(state)} {}

server::~server() {
  // With nobody accepting and every socket closed, the thread runs out of work.
  impl_->on->post([this] {
    impl_->stop();
    impl_->hall.close();
  });
  impl_->thread.join();
  impl_->on->close();
}

std::uint16_t server::port() const noexcept { return impl_->port; }

void server::drain(std::chrono::milliseconds grace) {
  const auto until = core::clock::now() + grace;
  impl_->on->post([this] {
    impl_->stop();
    impl_->hall.drain();
  });
  // No notification: connections end by coroutines that know nothing of this, and nobody is in a hurry here.
  while (impl_->hall.size() > 0 && core::clock::now() < until) std::this_thread::sleep_for(milliseconds{5});
}

} // namespace penstock::gateway
