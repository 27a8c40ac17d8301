#pragma once

#include <utility> // before Asio of Boost 1.74, whose awaitable.hpp forgets it

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "gateway/http/responder.hpp"
#include "gateway/http/route.hpp"
#include "gateway/http/websocket.hpp"
#include "gateway/net/hall.hpp"
#include "gateway/net/request_reader.hpp"
#include "gateway/net/runtime.hpp"
#include "gateway/net/stream.hpp"

namespace penstock::gateway::net {

/// One client: its requests, one after the other. All on the gateway's thread.
class connection final : public guest, public std::enable_shared_from_this<connection> {
 public:
  connection(const std::shared_ptr<runtime>& on, hall& in, std::unique_ptr<byte_stream> stream, std::string address,
             std::uint64_t number);
  ~connection() override;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// Serves until the client goes, breaks a rule or is no longer wanted.
  asio::awaitable<void> run();

  void close() override;
  void drain() override;
  [[nodiscard]] bool is_leaving() const noexcept override { return gone_; }

 private:
  asio::awaitable<bool> serve_one();
  [[nodiscard]] bool make_request(http::request& out);
  asio::awaitable<bool> read_whole(http::exchange& x, const http::route& to, reservation& held);
  asio::awaitable<bool> pump(std::shared_ptr<http::exchange> x, http::reception r, const http::route& to);
  asio::awaitable<bool> answer(std::shared_ptr<http::exchange> x, const http::route& to);
  asio::awaitable<bool> refuse_head(came what);
  asio::awaitable<bool> send_whole(const http::request& r, http::response reply);
  asio::awaitable<bool> send_stream(std::shared_ptr<http::exchange> x, http::streamed s);
  asio::awaitable<bool> send_pieces(http::exchange& x, http::streamed& s, bool chunked);
  asio::awaitable<bool> write(std::string_view bytes);
  asio::awaitable<bool> pass_over_rest();
  asio::awaitable<void> end();
  asio::awaitable<void> listen_websocket();

  void note_refusal(http::exchange& x, came what);
  [[nodiscard]] std::string framing_of(std::optional<std::size_t> length, bool chunked) const;
  void log(const http::request& r, int status, core::seconds took) const;

  /// Waits until somebody rings, or the time has come. True: rung.
  asio::awaitable<bool> wait(core::time_point until);
  void ring();
  [[nodiscard]] std::function<void()> ringer();
  /// Looks whether the client goes away while its request is worked on.
  void watch();
  void look();

  std::weak_ptr<runtime> runtime_;
  hall& hall_;
  std::unique_ptr<byte_stream> stream_;
  std::string address_;
  std::uint64_t number_;       ///< of the connection, for request ids
  std::uint64_t requests_ = 0; ///< on it so far
  request_reader reader_;
  asio::steady_timer bell_;
  bool rung_ = false;
  asio::steady_timer look_again_;
  bool watching_ = false;
  bool gone_ = false;       ///< the client is not there any more, or is not wanted any more
  bool draining_ = false;   ///< no request after this one
  bool keep_ = false;       ///< both sides want another request
  bool old_client_ = false; ///< HTTP/1.0
  std::shared_ptr<http::exchange> current_;
  int status_ = 0; ///< of the reply that was begun
  // a WebSocket's reading side
  http::websocket::decoder decoder_;
  bool listening_ = false;
};

} // namespace penstock::gateway::net
