#pragma once

#include <utility> // before Asio of Boost 1.74, whose awaitable.hpp forgets it

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/time.hpp"
#include "gateway/options.hpp"

namespace penstock::gateway::net {

namespace asio = boost::asio;
using boost::system::error_code;

/// One connection's bytes, plain or encrypted. All waits have an end.
class byte_stream {
 public:
  virtual ~byte_stream() = default;
  virtual asio::awaitable<void> handshake(core::time_point until, error_code& ec) = 0;
  virtual asio::awaitable<std::size_t> read_some(asio::mutable_buffer to, core::time_point until, error_code& ec) = 0;
  /// All of it.
  virtual asio::awaitable<void> write(std::string_view bytes, core::time_point until, error_code& ec) = 0;
  /// Says that nothing more will be sent.
  virtual asio::awaitable<void> end(core::time_point until, error_code& ec) = 0;
  /// Ends every wait at once.
  virtual void close() noexcept = 0;
  virtual asio::ip::tcp::socket& socket() noexcept = 0;
};

/// Whether an operation ended because of its time.
[[nodiscard]] bool is_timeout(const error_code& ec) noexcept;

/// Certificate and key of one moment. Connections keep the one they began with.
class tls_context;
[[nodiscard]] core::expected<std::shared_ptr<tls_context>> load_tls(const tls_options& files);
/// Changes when either file does; empty while one is missing.
[[nodiscard]] std::string tls_state(const tls_options& files);

[[nodiscard]] std::unique_ptr<byte_stream> plain_stream(asio::ip::tcp::socket socket);
[[nodiscard]] std::unique_ptr<byte_stream> tls_stream(asio::ip::tcp::socket socket, std::shared_ptr<tls_context> with);

} // namespace penstock::gateway::net
