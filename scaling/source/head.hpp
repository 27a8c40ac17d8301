#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "scaling/source.hpp"

namespace penstock::scaling {

/// Signals from one head itself.
struct head_options {
  std::string url = "http://127.0.0.1:8080"; ///< of its HTTP door, without a slash at its end
  std::string role = "worker";
  std::chrono::seconds window{30}; ///< over which counters are looked at, from one reading to a later one
  std::chrono::milliseconds limit{5'000};
  std::string token; ///< sent as a bearer token where it is not empty

  /// Error: `bad_config`, which names the key.
  [[nodiscard]] core::expected<void> validate() const;
};

/// The text of a head's metrics.
using metrics_text = std::function<core::expected<std::string>()>;

/// Reads the metrics that somebody gets; of the options role and window count. As `open_head`.
[[nodiscard]] source_ptr make_head(
    const head_options& options, metrics_text text,
    std::function<core::time_point()> clock = [] { return core::clock::now(); });

/// Reads `GET URL/metrics`. What counters tell (`served_per_s`, `late_share`) is known from the second reading on.
/// Errors: `bad_config`, `timeout`, `unavailable` (no head, or a family that is absent; named), `corrupt`, `too_large`.
[[nodiscard]] core::expected<source_ptr> open_head(
    const head_options& options, std::function<core::time_point()> clock = [] { return core::clock::now(); });

} // namespace penstock::scaling
