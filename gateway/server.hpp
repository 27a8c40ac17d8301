#pragma once

#include <cstdint>
#include <memory>

#include "core/error.hpp"
#include "gateway/api.hpp"
#include "gateway/options.hpp"
#include "metrics/families.hpp"

namespace penstock::gateway {

/// The HTTP front door: one thread that takes requests, checks them and hands them to what is behind it.
class server {
 public:
  /// Opens the door. `behind` and `registry` must outlive the server. Errors: bad_config (options, certificate, an
  /// address beyond loopback without tokens and without `insecure`), io (cannot listen).
  [[nodiscard]] static core::expected<std::unique_ptr<server>> listen(const options& how, const api& behind,
                                                                      metrics::registry& registry);
  ~server(); ///< ends at once: open requests are cut off. Not on the gateway's own thread.
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// The port it listens on.
  [[nodiscard]] std::uint16_t port() const noexcept;

  /// Takes no more connections, lets requests finish that are under way for at most `grace`, ends streams of events and
  /// previews, and returns when all connections are closed.
  void drain(std::chrono::milliseconds grace);

 private:
  struct impl;
  explicit server(std::shared_ptr<impl> state);
  std::shared_ptr<impl> impl_;
};

} // namespace penstock::gateway
