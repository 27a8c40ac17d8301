#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "jobs/azure/http.hpp"
#include "scaling/source.hpp"

namespace penstock::scaling {

/// Signals from a Prometheus server that scrapes the heads.
struct prometheus_options {
  std::string url = "http://127.0.0.1:9090"; ///< without a slash at its end; a path before `/api/v1` is kept
  std::string role = "worker";
  std::chrono::seconds window{30};      ///< over which counters are looked at; at least two scrapes should fall in it
  std::chrono::seconds stale_after{60}; ///< a family whose last sample is older is an error
  std::chrono::milliseconds limit{5'000};
  std::string token; ///< sent as a bearer token where it is not empty

  /// Error: `bad_config`, which names the key.
  [[nodiscard]] core::expected<void> validate() const;
};

/// Reads `/api/v1/query`: the server's time, then all samples of the role's families up to that time. So ages are
/// counted by the server's clock alone. `signals::at` is our time less the age of the oldest family. Errors:
/// `bad_config`, `timeout`, `unavailable` (no server, a family that is absent or stale; named), `corrupt`.
[[nodiscard]] core::expected<source_ptr> open_prometheus(
    const prometheus_options& options, std::function<core::time_point()> clock = [] { return core::clock::now(); });

} // namespace penstock::scaling
