#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "scaling/workforce.hpp"

namespace penstock::scaling {

/// The workers of heads on other machines.
struct heads_options {
  std::vector<std::string> urls; ///< of their HTTP doors, without a slash at the end
  std::string role = "worker";
  std::string token; ///< of scope admin; empty where the doors need none
  std::chrono::milliseconds limit{5'000};

  /// Error: `bad_config`, which names the key.
  [[nodiscard]] core::expected<void> validate() const;
};

/// What `GET /v1/state` of a head says of the workers of a role. Error: `corrupt`.
[[nodiscard]] core::expected<std::vector<worker_view>> workers_in(std::string_view state, std::string_view role);

/// Asks all heads, by `GET /v1/state` and `POST /v1/workers/NAME/drain`. A worker that several know is where the
/// furthest says, and holds what it holds of all. Errors: `bad_config` (also a token that is not accepted),
/// `unavailable` where a head cannot be asked, `timeout`, `corrupt`.
[[nodiscard]] core::expected<workforce_ptr> open_heads(const heads_options& options);

} // namespace penstock::scaling
