#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/error.hpp"

namespace penstock::metrics {

/// What the endpoints answer with. Called on the server's own thread; must be thread-safe.
struct server_callbacks {
  std::function<std::string()> metrics; ///< body of /metrics
  std::function<bool()> healthy;        ///< /healthz: 200 or 503; /healthz/rich: 200, and what it is in the body
  std::function<bool()> ready;          ///< /readyz: 200 or 503
};

/// The body of rich health, as scale sets of machines read it: whatever is not 200 they count as unknown, and may
/// repair.
[[nodiscard]] constexpr const char* rich_health(bool healthy) noexcept {
  return healthy ? R"({"ApplicationHealthState":"Healthy"})" : R"({"ApplicationHealthState":"Unhealthy"})";
}

/// A small HTTP server for /metrics, /healthz and /readyz. Stops when destroyed.
class server {
 public:
  /// Listens on "host:port"; port 0 takes a free one. Errors: bad_config (not host:port), io (cannot listen).
  [[nodiscard]] static core::expected<std::unique_ptr<server>> listen(const std::string& address,
                                                                      server_callbacks callbacks);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// The port it listens on.
  [[nodiscard]] std::uint16_t port() const noexcept;

 private:
  struct impl;
  explicit server(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::metrics
