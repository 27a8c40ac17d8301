#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/time.hpp"
#include "gateway/figures.hpp"
#include "gateway/http/route.hpp"
#include "gateway/options.hpp"
#include "gateway/policy/rate_limiter.hpp"
#include "gateway/policy/token_table.hpp"

namespace penstock::gateway {

/// All that is checked about a request before anything of its body is read: path, origin, token, scope, rates, size.
/// One thread.
class door {
 public:
  door(const options& how, const std::vector<http::route>& table, figures& counts);

  struct decision {
    const http::route* found = nullptr;
    std::optional<http::response> refused; ///< or answered already, as a CORS preflight
  };
  /// Fills in the request's parameters and caller.
  [[nodiscard]] decision check(http::request& r, core::time_point now);

  /// The headers that let a page of another site read the reply.
  void add_cors(const http::request& r, http::response& reply) const;

 private:
  [[nodiscard]] bool is_known_origin(std::string_view origin) const;
  [[nodiscard]] std::optional<http::response> check_origin(const http::request& r);
  [[nodiscard]] std::optional<http::response> check_token(http::request& r, scope needed, core::time_point now);
  [[nodiscard]] std::optional<http::response> check_body(const http::request& r, const http::route& to);
  [[nodiscard]] http::response refuse(barred why, int status, std::string message);
  [[nodiscard]] http::response refuse_rate(barred why, core::seconds wait);

  const options& how_;
  const std::vector<http::route>& table_;
  figures& counts_;
  policy::token_table tokens_;
  policy::rate_limiter by_token_;
  policy::rate_limiter by_address_;
};

/// The key of an address for rates: IPv6 clients own a /64 each.
[[nodiscard]] std::string rate_key(const std::string& address);

} // namespace penstock::gateway
