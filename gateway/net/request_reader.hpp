#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/http/message.hpp"
#include "gateway/net/stream.hpp"
#include "gateway/options.hpp"

namespace penstock::gateway::net {

/// What became of a wait for bytes of a client.
enum class came : std::uint8_t { something, end, too_late, malformed, too_large, gone };

/// Reads one connection's requests, within the limits and times of the options.
class request_reader {
 public:
  static constexpr std::size_t piece_bytes = std::size_t{64} << 10U;

  request_reader(byte_stream& from, const options& how);
  ~request_reader();
  request_reader(const request_reader&) = delete;
  request_reader& operator=(const request_reader&) = delete;

  /// A whole head: `end`. `first`: of the connection, so that there is no idle time before. `gone` also where nothing
  /// was sent in time.
  asio::awaitable<came> head(bool first);
  /// Fills in method, target, headers and what is known of the body, whose time begins. False: not a request to answer.
  [[nodiscard]] bool describe(http::request& out);

  /// The body's next piece, or `end`. Ends `too_late` past the body's time, or at `until`.
  asio::awaitable<came> piece(std::string& to, core::time_point until = core::time_point::max());
  /// What is not HTTP any more.
  asio::awaitable<came> raw(std::string& to, core::time_point until);

  /// The body is read to its end, or there is none.
  [[nodiscard]] bool is_done() const;
  /// Of a body whose length is known.
  [[nodiscard]] std::optional<std::uint64_t> remaining() const;
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  /// The client waits to be told to send its body.
  [[nodiscard]] bool owes_continue() const noexcept { return owes_continue_; }
  [[nodiscard]] bool is_old_client() const noexcept { return old_client_; } ///< HTTP/1.0
  [[nodiscard]] bool may_stay() const;                                      ///< the client wants another request
  /// Time that the body had to wait for us.
  void prolong(core::clock::duration by) { began_ += by; }

 private:
  asio::awaitable<came> more(std::size_t most, core::time_point until);
  [[nodiscard]] core::time_point limit() const;

  struct parsing;
  byte_stream& from_;
  const options& how_;
  std::unique_ptr<parsing> parsing_;
  bool owes_continue_ = false;
  bool old_client_ = false;
  core::time_point began_; ///< of the body
  std::uint64_t received_ = 0;
};

} // namespace penstock::gateway::net
