#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace penstock::gateway::http {

using header = std::pair<std::string, std::string>;

/// A request as routes see it.
struct request {
  std::string method;
  std::string path;                                       ///< of the target, still percent-encoded
  std::vector<std::pair<std::string, std::string>> query; ///< decoded
  std::vector<header> headers;
  std::map<std::string, std::string, std::less<>> parameters; ///< what stood for `{name}` in the route's pattern
  std::optional<std::uint64_t> content_length;
  bool chunked = false; ///< has a body of unknown length
  std::string body;     ///< where the route takes it whole
  std::string id;       ///< X-Request-Id
  std::string address;  ///< of the client, without its port
  std::string caller;   ///< the token's name; empty where none is needed
  bool is_admin = false;

  /// The first header of that name, or empty.
  [[nodiscard]] std::string_view get(std::string_view name) const noexcept;
  [[nodiscard]] bool has_body() const noexcept { return chunked || content_length.value_or(0) > 0; }
  /// The first value of a query parameter.
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const noexcept;
  /// All values of it, those of lists with commas taken apart.
  [[nodiscard]] std::vector<std::string> query_list(std::string_view name) const;
  /// `?name`, `?name=true` and `?name=1`.
  [[nodiscard]] bool query_flag(std::string_view name) const noexcept;
};

/// A reply. Content-Length, Date, X-Request-Id and the headers that every reply has are added when it is written.
struct response {
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<header> headers;
};

/// The name of a status, e.g. "Not Found".
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

/// `{"error": {"code", "message"}}`, how every refusal looks.
[[nodiscard]] response refusal(int status, std::string_view code, std::string message);

/// What an error of the parts behind the door becomes.
[[nodiscard]] response refusal(const core::error& error);

/// The reply's head as it goes over the wire. Characters that would end a header are left out.
[[nodiscard]] std::string head_of(const response& r, std::string_view request_id, std::string_view framing);

/// Splits a target into path and decoded query. False: it is none that this door takes.
[[nodiscard]] bool parse_target(std::string_view target, request& out);

} // namespace penstock::gateway::http
