#include "gateway/net/stream.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>

namespace penstock::gateway::net {

namespace ssl = boost::asio::ssl;

class tls_context {
 public:
  ssl::context context{ssl::context::tls_server};
};

namespace {

/// Ends what a socket waits for when its time has come. Unlike Beast's stream it leaves the socket open, for the client
/// is to be told.
class time_limit {
 public:
  explicit time_limit(const asio::ip::tcp::socket::executor_type& on) : timer_{on} {}

  void begin(asio::ip::tcp::socket& socket, core::time_point until) {
    passed_ = std::make_shared<bool>(false);
    timer_.expires_at(until);
    timer_.async_wait([&socket, passed = std::weak_ptr{passed_}](const error_code& ec) {
      const auto open = passed.lock(); // gone with the stream, or with the operation
      if (ec || !open) return;
      *open = true;
      error_code ignored;
      socket.cancel(ignored);
    });
  }
  /// The operation is over: its time does not count any more. Corrects the error if it was the reason.
  void end(error_code& ec) {
    if (ec && *passed_) ec = asio::error::timed_out;
    passed_.reset();
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<bool> passed_;
};

/// `Layer` is a socket, or a TLS stream around one.
template <class Layer>
class timed_stream : public byte_stream {
 public:
  template <class... A>
  explicit timed_stream(A&&... with)
      : layer_{std::forward<A>(with)...}, reading_{layer_.get_executor()}, writing_{layer_.get_executor()} {}

  asio::awaitable<std::size_t> read_some(asio::mutable_buffer to, core::time_point until, error_code& ec) override {
    reading_.begin(socket(), until);
    const auto n = co_await layer_.async_read_some(to, asio::redirect_error(asio::use_awaitable, ec));
    reading_.end(ec);
    co_return n;
  }

  asio::awaitable<void> write(std::string_view bytes, core::time_point until, error_code& ec) override {
    writing_.begin(socket(), until);
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    co_await asio::async_write(layer_, buffer, asio::redirect_error(asio::use_awaitable, ec));
    writing_.end(ec);
  }

  void close() noexcept override {
    error_code ignored;
    socket().close(ignored);
  }

 protected:
  Layer layer_;
  time_limit reading_;
  time_limit writing_;
};

class plain final : public timed_stream<asio::ip::tcp::socket> {
 public:
  using timed_stream::timed_stream;

  asio::awaitable<void> handshake(core::time_point, error_code& ec) override {
    ec = {};
    co_return;
  }

  asio::awaitable<void> end(core::time_point, error_code& ec) override {
    layer_.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
    co_return;
  }

  asio::ip::tcp::socket& socket() noexcept override { return layer_; }
};

class encrypted final : public timed_stream<ssl::stream<asio::ip::tcp::socket>> {
 public:
  encrypted(asio::ip::tcp::socket socket, std::shared_ptr<tls_context> with)
      : timed_stream{std::move(socket), with->context}, context_{std::move(with)} {}

  asio::awaitable<void> handshake(core::time_point until, error_code& ec) override {
    reading_.begin(socket(), until);
    co_await layer_.async_handshake(ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, ec));
    reading_.end(ec);
  }

  asio::awaitable<void> end(core::time_point until, error_code& ec) override {
    reading_.begin(socket(), until);
    co_await layer_.async_shutdown(asio::redirect_error(asio::use_awaitable, ec));
    reading_.end(ec);
  }

  asio::ip::tcp::socket& socket() noexcept override { return layer_.next_layer(); }

 private:
  std::shared_ptr<tls_context> context_;
};

} // namespace

bool is_timeout(const error_code& ec) noexcept { return ec == asio::error::timed_out; }

core::expected<std::shared_ptr<tls_context>> load_tls(const tls_options& files) {
  auto made = std::make_shared<tls_context>();
  auto& context = made->context;
  context.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 |
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  const auto failed = [](const char* option, const std::filesystem::path& file, const error_code& ec) {
    return core::fail(core::errc::bad_config, fmt::format("tls.{}: {}: {}", option, file.string(), ec.message()));
  };
  error_code ec;
  context.use_certificate_chain_file(files.certificate.string(), ec);
  if (ec) return failed("certificate", files.certificate, ec);
  context.use_private_key_file(files.key.string(), ssl::context::pem, ec);
  if (ec) return failed("key", files.key, ec);
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    return core::fail(core::errc::bad_config, "tls.key: it does not belong to tls.certificate");
  }
  return made;
}

std::string tls_state(const tls_options& files) {
  std::string state;
  for (const auto& file : {files.certificate, files.key}) {
    struct stat facts {};
    if (::stat(file.c_str(), &facts) != 0) return {};
    state += fmt::format("{}.{}.{}.{} ", facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec, facts.st_size, facts.st_ino);
  }
  return state;
}

std::unique_ptr<byte_stream> plain_stream(asio::ip::tcp::socket socket) {
  return std::make_unique<plain>(std::move(socket));
}

std::unique_ptr<byte_stream> tls_stream(asio::ip::tcp::socket socket, std::shared_ptr<tls_context> with) {
  return std::make_unique<encrypted>(std::move(socket), std::move(with));
}

} // namespace penstock::gateway::net
