#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "topology/streams_config.hpp"

/// Everything about the HTTP door but its address, which is a role's `http`. The room gateway/ does not know topology
/// files: front/ hands this over.
namespace penstock::topology {

/// What a token may be used for; `admin` includes the others.
enum class http_scope : std::uint8_t { detect, jobs, streams, admin };

/// Somebody who may come in. The token itself is in no file.
struct http_token_config {
  std::string name{};   ///< stands in logs in place of the token
  std::string sha256{}; ///< of the token, 64 hexadecimal digits
  std::vector<http_scope> scopes{http_scope::detect, http_scope::jobs, http_scope::streams};

  bool operator==(const http_token_config&) const = default;
};

/// A token bucket.
struct http_rate_config {
  double per_s = 0;  ///< requests; 0: no limit
  double burst = 20; ///< requests at once after a quiet time

  bool operator==(const http_rate_config&) const = default;
};

struct http_rates_config {
  http_rate_config per_token{};
  http_rate_config per_address{};

  bool operator==(const http_rates_config&) const = default;
};

/// Encryption; off while both files are empty.
struct http_tls_config {
  std::filesystem::path certificate{}; ///< PEM, the server's first, then the chain
  std::filesystem::path key{};         ///< PEM
  duration check_every = std::chrono::seconds{5};

  bool operator==(const http_tls_config&) const = default;
};

/// Sizes are bytes.
struct http_limits_config {
  int connections = 1024;
  int connections_per_address = 1024;
  std::int64_t header = 16LL << 10;
  std::int64_t image = 32LL << 20;
  std::int64_t json = 64LL << 10;
  std::int64_t upload = 64LL << 30;
  std::int64_t buffered = 512LL << 20;
  std::int64_t pixels = 64'000'000;

  bool operator==(const http_limits_config&) const = default;
};

struct http_timeouts_config {
  duration header = std::chrono::seconds{10};
  duration idle = std::chrono::seconds{60};
  duration body = std::chrono::seconds{15};
  std::int64_t body_rate = 4096; ///< bytes a second
  duration write = std::chrono::seconds{30};

  bool operator==(const http_timeouts_config&) const = default;
};

/// When a picture is refused rather than queued.
struct http_admission_config {
  int in_flight = 256;
  duration max_wait = std::chrono::seconds{1};
  duration deadline = std::chrono::seconds{10};
  duration max_deadline = std::chrono::seconds{60};

  bool operator==(const http_admission_config&) const = default;
};

struct http_events_config {
  int queue = 1024;
  int readers = 64;
  duration keep_alive = std::chrono::seconds{15};

  bool operator==(const http_events_config&) const = default;
};

struct http_preview_config {
  double fps = 10;
  int viewers = 16;

  bool operator==(const http_preview_config&) const = default;
};

/// What needs no token.
struct http_open_config {
  bool health = true;
  bool metrics = true;

  bool operator==(const http_open_config&) const = default;
};

struct http_config {
  std::vector<http_token_config> tokens{}; ///< empty: everybody may do everything
  http_open_config open{};
  bool console = true;
  std::vector<std::string> cors{};
  http_rates_config rate{};
  http_tls_config tls{};
  http_limits_config limits{};
  http_timeouts_config timeouts{};
  http_admission_config admission{};
  http_events_config events{};
  http_preview_config preview{};

  bool operator==(const http_config&) const = default;
};

} // namespace penstock::topology
