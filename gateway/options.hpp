#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace penstock::gateway {

/// What a token may be used for. `admin` includes all others.
enum class scope : std::uint8_t { detect, jobs, streams, admin };

[[nodiscard]] std::string_view to_string(scope s) noexcept;
[[nodiscard]] std::optional<scope> scope_named(std::string_view name) noexcept;

/// Somebody who may come in. The token itself is not stored anywhere.
struct token_options {
  std::string name;   ///< stands in logs in place of the token
  std::string sha256; ///< of the token, as 64 hexadecimal digits: `printf %s TOKEN | sha256sum`
  std::vector<scope> scopes{scope::detect, scope::jobs, scope::streams};

  bool operator==(const token_options&) const = default;
};

/// A token bucket. What exceeds it is refused with 429 and the time until there is room.
struct rate_options {
  double per_s = 0;  ///< requests a second; 0: no limit
  double burst = 20; ///< requests at once after a quiet time; at least 1

  bool operator==(const rate_options&) const = default;
};

/// Encryption at the door; off while both files are empty.
struct tls_options {
  std::filesystem::path certificate; ///< PEM, the server's first, then the chain
  std::filesystem::path key;         ///< PEM
  /// How often the files are looked at; a changed pair is used for new connections, a broken one is logged and counted.
  std::chrono::milliseconds check_every{5000};

  [[nodiscard]] bool on() const { return !certificate.empty() || !key.empty(); }
  bool operator==(const tls_options&) const = default;
};

struct limit_options {
  std::size_t connections = 1024; ///< at the limit the longest waiting one without a request makes room, else 503
  std::size_t connections_per_address = 1024;
  std::size_t header_bytes = std::size_t{16} << 10U;     ///< request line and headers: 431
  std::size_t image_bytes = std::size_t{32} << 20U;      ///< body of POST /v1/detect: 413
  std::size_t json_bytes = std::size_t{64} << 10U;       ///< bodies that are JSON: 413
  std::uint64_t upload_bytes = std::uint64_t{64} << 30U; ///< body of POST /v1/jobs: 413
  std::size_t buffered_bytes = std::size_t{512} << 20U;  ///< all bodies in memory together: 503
  std::uint64_t picture_pixels = 64'000'000;             ///< width × height that the picture's header states: 422

  bool operator==(const limit_options&) const = default;
};

struct timeout_options {
  std::chrono::milliseconds header{
      10'000}; ///< from a request's first byte (or the connection's start) to its last header
  std::chrono::milliseconds idle{60'000}; ///< between requests of one connection
  std::chrono::milliseconds body{15'000}; ///< until a body's end, prolonged by what came at `body_bytes_per_s`
  std::size_t body_bytes_per_s = 4096;    ///< slower bodies end with 408
  std::chrono::milliseconds write{
      30'000}; ///< a client that takes nothing of a piece of the answer for so long is given up

  bool operator==(const timeout_options&) const = default;
};

/// When POST /v1/detect is refused with 503 rather than queued.
struct admission_options {
  std::size_t in_flight = 256;              ///< never more at the same time
  std::chrono::milliseconds max_wait{1000}; ///< longest predicted wait that is let in, whatever the request's deadline
  std::chrono::milliseconds deadline{10'000};     ///< of requests that state none
  std::chrono::milliseconds max_deadline{60'000}; ///< larger ones are cut to this

  bool operator==(const admission_options&) const = default;
};

struct event_options {
  std::size_t queue = 1024;                     ///< events kept for one slow reader; the oldest go first
  std::size_t readers = 64;                     ///< at the same time, WebSockets included: 503
  std::chrono::milliseconds keep_alive{15'000}; ///< a sign of life where there are no events

  bool operator==(const event_options&) const = default;
};

struct preview_options {
  double fps = 10;          ///< pictures a second for one viewer, at most
  std::size_t viewers = 16; ///< at the same time: 503

  bool operator==(const preview_options&) const = default;
};

/// Everything that can be set about the door.
struct options {
  std::string address = "127.0.0.1:8080"; ///< HOST:PORT; port 0 takes a free one
  std::vector<token_options> tokens;      ///< none: everybody may do everything
  bool insecure = false;                  ///< without tokens, open beyond loopback all the same
  bool open_health = true;                ///< /healthz and /readyz need no token
  bool open_metrics = true;               ///< nor does /metrics
  bool console = true;                    ///< the page at /; the page itself needs no token, its data does
  rate_options rate_per_token;
  rate_options rate_per_address;
  tls_options tls;
  std::vector<std::string> cors_origins; ///< other sites whose pages may ask, as https://HOST[:PORT]; "*": all
  limit_options limits;
  timeout_options timeouts;
  admission_options admission;
  event_options events;
  preview_options preview;

  bool operator==(const options&) const = default;
};

/// The first thing that is wrong, with the option's name; nothing is opened. Error: bad_config.
[[nodiscard]] core::expected<void> validate(const options& o);

} // namespace penstock::gateway
