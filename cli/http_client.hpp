#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace penstock::cli {

/// Where a server is.
struct http_address {
  std::string base;      ///< "https://host:port/prefix", without a slash at its end
  std::string place;     ///< "https://host:port", for messages
  bool loopback = false; ///< this machine: no proxy is asked
};

/// Reads an http or https URL; without a scheme it is http. Error: bad_config, whose message does not repeat the URL,
/// for it may hold a password (which is refused, too).
[[nodiscard]] core::expected<http_address> read_address(const std::string& url);

struct http_request {
  std::string method = "GET";
  std::string target = "/"; ///< path and query, after the address
  std::vector<std::pair<std::string, std::string>> headers;
  int body_fd = -1;             ///< a file that is sent from its first byte, piece by piece; -1: no body
  std::uint64_t body_bytes = 0; ///< how much of it
  std::function<void(std::uint64_t bytes)> sent; ///< how much has left
  /// Takes the body of a reply of 2xx piece by piece instead of `http_response::body`; false ends the request.
  std::function<bool(std::string_view piece)> take;
  std::chrono::seconds silence{60}; ///< without a byte in either direction; 0: for ever
};

struct http_response {
  int status = 0;
  std::chrono::seconds retry_after{0}; ///< what the header Retry-After says; 0: nothing
  std::string body;
};

/// HTTP/1.1 by libcurl, to one server, over connections that are kept. One request at a time.
class http_client {
 public:
  /// `ca`: PEM file of the authorities that are trusted instead of the system's; may be empty.
  http_client(http_address to, std::string ca);
  ~http_client();
  http_client(http_client&&) noexcept;
  http_client& operator=(http_client&&) noexcept;

  [[nodiscard]] const http_address& address() const noexcept { return to_; }

  /// Makes a request once. Any status is an answer, also one that comes before the whole body was sent: the rest is
  /// then not sent. Errors: `unavailable` (no connection, or it ended early), `timeout`, `cancelled` (`stop`, or `take`
  /// said so), `bad_config` (the certificate or `ca` is not accepted), `too_large` (a reply of more than 32 MiB without
  /// `take`), `io` (the body's file).
  [[nodiscard]] core::expected<http_response> ask(const http_request& request, const std::stop_token& stop);

 private:
  struct handles;
  http_address to_;
  std::string ca_;
  std::unique_ptr<handles> handles_;
};

/// Text as a part of a URL or header: all but letters, digits, `-`, `_`, `.` and `~` as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view text);

} // namespace penstock::cli
