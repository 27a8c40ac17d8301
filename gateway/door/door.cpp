#include "gateway/door/door.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "gateway/http/text.hpp"

namespace penstock::gateway {

namespace {

bool is_safe(std::string_view method) { return method == "GET" || method == "HEAD" || method == "OPTIONS"; }

/// Host and port of an origin, to compare with the header Host.
std::string_view authority_of(std::string_view origin) {
  const auto scheme = origin.find("://");
  return scheme == std::string_view::npos ? std::string_view{} : origin.substr(scheme + 3);
}

} // namespace

std::string rate_key(const std::string& address) {
  in6_addr six{};
  if (::inet_pton(AF_INET6, address.c_str(), &six) != 1) return address;
  std::fill(std::begin(six.s6_addr) + 8, std::end(six.s6_addr), 0);
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(AF_INET6, &six, text, sizeof text) != nullptr ? std::string{text} + "/64" : address;
}

door::door(const options& how, const std::vector<http::route>& table, figures& counts)
    : how_{how}, table_{table}, counts_{counts}, tokens_{how.tokens}, by_token_{how.rate_per_token},
      by_address_{how.rate_per_address} {}

http::response door::refuse(barred why, int status, std::string message) {
  counts_.refused(why);
  return http::refusal(status, to_string(why), std::move(message));
}

http::response door::refuse_rate(barred why, core::seconds wait) {
  const auto seconds = static_cast<long>(std::ceil(std::max(wait.count(), 0.001)));
  auto r = refuse(why, 429, fmt::format("too many requests; again in {} s", seconds));
  r.headers.emplace_back("Retry-After", std::to_string(seconds));
  return r;
}

bool door::is_known_origin(std::string_view origin) const {
  return std::ranges::any_of(how_.cors_origins, [&](const auto& o) { return o == "*" || o == origin; });
}

void door::add_cors(const http::request& r, http::response& reply) const {
  const auto origin = r.get("Origin");
  if (origin.empty() || !is_known_origin(origin)) return;
  reply.headers.emplace_back("Access-Control-Allow-Origin", std::string{origin});
  reply.headers.emplace_back("Vary", "Origin");
  reply.headers.emplace_back("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Location");
}

std::optional<http::response> door::check_origin(const http::request& r) {
  const auto origin = r.get("Origin");
  const bool upgrade = http::same_word(r.get("Upgrade"), "websocket");
  if (origin.empty() || (is_safe(r.method) && !upgrade)) return std::nullopt;
  if (http::same_word(authority_of(origin), r.get("Host")) || is_known_origin(origin)) return std::nullopt;
  // Browsers send such requests for any page, also to addresses that only this machine can reach.
  return refuse(barred::origin, 403, "pages of other sites may not do that; see cors_origins");
}

std::optional<http::response> door::check_token(http::request& r, scope needed, core::time_point now) {
  if (tokens_.empty()) {
    r.is_admin = true;
    return std::nullopt;
  }
  const auto* who = tokens_.find(http::trimmed(policy::bearer_token(r.get("Authorization"))));
  if (who == nullptr) {
    auto refused = refuse(barred::token, 401, "a valid token is needed: Authorization: Bearer TOKEN");
    refused.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"penstock\"");
    return refused;
  }
  r.caller = who->name;
  r.is_admin = who->may(scope::admin);
  if (const auto wait = by_token_.take(who->name, now); wait > core::seconds{0}) {
    return refuse_rate(barred::rate_token, wait);
  }
  if (!who->may(needed)) {
    return refuse(barred::scope, 403, fmt::format("this token lacks the scope '{}'", to_string(needed)));
  }
  return std::nullopt;
}

std::optional<http::response> door::check_body(const http::request& r, const http::route& to) {
  if (to.body == http::body_rule::none || r.content_length.value_or(0) <= to.body_bytes) return std::nullopt;
  return refuse(barred::body_bytes, 413, fmt::format("the body may have {} bytes at most", to.body_bytes));
}

door::decision door::check(http::request& r, core::time_point now) {
  if (r.method == "OPTIONS" && !r.get("Access-Control-Request-Method").empty()) {
    http::response yes{204, {}, {}, {}};
    if (is_known_origin(r.get("Origin"))) {
      yes.headers = {{"Access-Control-Allow-Methods", "GET, POST, DELETE"},
                     {"Access-Control-Allow-Headers",
                      "Authorization, Content-Type, Accept, Idempotency-Key, Penstock-Deadline-Ms, Penstock-Name, "
                      "X-Request-Id"},
                     {"Access-Control-Max-Age", "600"}};
    }
    return {nullptr, std::move(yes)};
  }
  if (const auto wait = by_address_.take(rate_key(r.address), now); wait > core::seconds{0}) {
    return {nullptr, refuse_rate(barred::rate_address, wait)};
  }
  auto m = http::find_route(table_, r.method, r.path);
  if (m.found == nullptr) {
    if (!m.allowed.empty()) {
      auto refused = http::refusal(405, "method", fmt::format("allowed here: {}", m.allowed));
      refused.headers.emplace_back("Allow", m.allowed);
      return {nullptr, std::move(refused)};
    }
    if (m.bad_name) return {nullptr, refuse(barred::malformed, 400, "names consist of 1 to 128 of A-Z a-z 0-9 . _ -")};
    return {nullptr, http::refusal(404, "not_found", "there is nothing here; see /v1/openapi.json")};
  }
  r.parameters = std::move(m.parameters);
  if (auto no = check_origin(r)) return {m.found, std::move(no)};
  if (m.found->needs) {
    if (auto no = check_token(r, *m.found->needs, now)) return {m.found, std::move(no)};
  }
  if (!m.found->lacks.empty()) return {m.found, http::refusal(501, "not_attached", m.found->lacks)};
  if (auto no = check_body(r, *m.found)) return {m.found, std::move(no)};
  if (m.found->before) {
    if (auto no = m.found->before(r)) return {m.found, std::move(no)};
  }
  return {m.found, std::nullopt};
}

} // namespace penstock::gateway
