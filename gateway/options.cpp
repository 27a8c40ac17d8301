#include "gateway/options.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <set>

#include "gateway/policy/token_table.hpp"

namespace penstock::gateway {

namespace {

constexpr std::array<std::string_view, 4> scope_names{"detect", "jobs", "streams", "admin"};

template <class... A>
auto wrong(fmt::format_string<A...> text, A&&... values) {
  return core::fail(core::errc::bad_config, fmt::format(text, std::forward<A>(values)...));
}

core::expected<void> check_tokens(const std::vector<token_options>& tokens) {
  std::set<std::string> names;
  for (const auto& t : tokens) {
    if (t.name.empty()) return wrong("tokens: each needs a name");
    if (!names.insert(t.name).second) return wrong("tokens: the name '{}' stands twice", t.name);
    if (!policy::parse_digest(t.sha256)) {
      return wrong("tokens.{}.sha256: not 64 hexadecimal digits (printf %s TOKEN | sha256sum)", t.name);
    }
    if (t.scopes.empty()) return wrong("tokens.{}.scopes: none; allowed are detect, jobs, streams, admin", t.name);
  }
  return {};
}

core::expected<void> check_rate(std::string_view name, const rate_options& r) {
  if (!std::isfinite(r.per_s) || r.per_s < 0) return wrong("{}.per_s: {} is not 0 or more", name, r.per_s);
  if (!std::isfinite(r.burst) || r.burst < 1) return wrong("{}.burst: {} is not 1 or more", name, r.burst);
  return {};
}

core::expected<void> check_origin(const std::string& origin) {
  if (origin == "*") return {};
  const auto scheme = origin.find("://");
  if (scheme == std::string::npos || scheme == 0 || scheme + 3 == origin.size() ||
      origin.find_first_of("/?#, \t\r\n", scheme + 3) != std::string::npos) {
    return wrong("cors_origins: '{}' is not * or SCHEME://HOST[:PORT]", origin);
  }
  return {};
}

} // namespace

std::string_view to_string(scope s) noexcept { return scope_names[static_cast<std::size_t>(s)]; }

std::optional<scope> scope_named(std::string_view name) noexcept {
  const auto* found = std::ranges::find(scope_names, name);
  if (found == scope_names.end()) return std::nullopt;
  return static_cast<scope>(found - scope_names.begin());
}

core::expected<void> validate(const options& o) {
  const auto colon = o.address.rfind(':');
  const auto port = colon == std::string::npos ? std::string{} : o.address.substr(colon + 1);
  if (colon == 0 || port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
      std::stoul(port) > 65535) {
    return wrong("address: '{}' is not HOST:PORT, as in 127.0.0.1:8080", o.address);
  }
  if (auto ok = check_tokens(o.tokens); !ok) return ok;
  if (auto ok = check_rate("rate_per_token", o.rate_per_token); !ok) return ok;
  if (auto ok = check_rate("rate_per_address", o.rate_per_address); !ok) return ok;
  if (o.tls.certificate.empty() != o.tls.key.empty()) return wrong("tls: certificate and key need each other");
  for (const auto& origin : o.cors_origins) {
    if (auto ok = check_origin(origin); !ok) return ok;
  }

  struct positive {
    std::string_view name;
    double value;
  };
  const std::array values{
      positive{"tls.check_every", static_cast<double>(o.tls.check_every.count())},
      positive{"limits.connections", static_cast<double>(o.limits.connections)},
      positive{"limits.connections_per_address", static_cast<double>(o.limits.connections_per_address)},
      positive{"limits.image_bytes", static_cast<double>(o.limits.image_bytes)},
      positive{"limits.json_bytes", static_cast<double>(o.limits.json_bytes)},
      positive{"limits.upload_bytes", static_cast<double>(o.limits.upload_bytes)},
      positive{"limits.buffered_bytes", static_cast<double>(o.limits.buffered_bytes)},
      positive{"limits.picture_pixels", static_cast<double>(o.limits.picture_pixels)},
      positive{"timeouts.header", static_cast<double>(o.timeouts.header.count())},
      positive{"timeouts.idle", static_cast<double>(o.timeouts.idle.count())},
      positive{"timeouts.body", static_cast<double>(o.timeouts.body.count())},
      positive{"timeouts.body_bytes_per_s", static_cast<double>(o.timeouts.body_bytes_per_s)},
      positive{"timeouts.write", static_cast<double>(o.timeouts.write.count())},
      positive{"admission.in_flight", static_cast<double>(o.admission.in_flight)},
      positive{"admission.max_wait", static_cast<double>(o.admission.max_wait.count())},
      positive{"admission.deadline", static_cast<double>(o.admission.deadline.count())},
      positive{"admission.max_deadline", static_cast<double>(o.admission.max_deadline.count())},
      positive{"events.queue", static_cast<double>(o.events.queue)},
      positive{"events.readers", static_cast<double>(o.events.readers)},
      positive{"events.keep_alive", static_cast<double>(o.events.keep_alive.count())},
      positive{"preview.fps", o.preview.fps},
      positive{"preview.viewers", static_cast<double>(o.preview.viewers)},
  };
  for (const auto& v : values) {
    if (!(v.value > 0)) return wrong("{}: {} is not more than 0", v.name, v.value);
  }
  // The parser needs room for the request line and the headers that every client sends.
  if (o.limits.header_bytes < 1024 || o.limits.header_bytes > (std::size_t{1} << 20U)) {
    return wrong("limits.header_bytes: {} is not from 1024 to 1048576", o.limits.header_bytes);
  }
  if (o.admission.deadline > o.admission.max_deadline) return wrong("admission.deadline: larger than max_deadline");
  return {};
}

} // namespace penstock::gateway
