#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace penstock::jobs::azure {

struct http_request {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct http_response {
  int status = 0;
  std::map<std::string, std::string> headers; ///< names in lower case
  std::string body;

  [[nodiscard]] std::string header(const std::string& name) const;
};

struct http_limits {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds whole{60'000};
  std::size_t body_bytes = 32U << 20U;
};

/// HTTP by libcurl, with connections kept for the next request. Thread-safe.
class http_client {
 public:
  explicit http_client(http_limits limits = {});
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;
  ~http_client();

  /// Makes a request once. Any status is an answer. Errors: `timeout`, `unavailable` (no connection, or it ended
  /// early), `too_large`, `bad_config` (no address).
  [[nodiscard]] core::expected<http_response> once(const http_request& request);

 private:
  struct handle;

  std::unique_ptr<handle> borrow();
  void give_back(std::unique_ptr<handle> used);

  http_limits limits_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<handle>> idle_;
};

/// A time as HTTP writes it: "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string http_date(std::chrono::system_clock::time_point time);

/// Milliseconds since 1970 of an HTTP date; -1 for what is none.
[[nodiscard]] std::int64_t parse_http_date(const std::string& text);

/// Text as a part of a query: all but letters, digits, `-`, `_`, `.` and `~` as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view text);
[[nodiscard]] std::string percent_decoded(std::string_view text);

} // namespace penstock::jobs::azure
