#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "jobs/record.hpp"

namespace penstock::jobs::nats {

/// Where jobs are kept: `nats://HOST:PORT[,nats://…][?name=…&replicas=…&ack_wait=…&credentials=…]`.
struct address {
  std::vector<std::string> servers; ///< `nats://` or `tls://`, maybe with user and password
  std::string name = "penstock";    ///< of the streams: letters, digits, `-`, `_`
  int replicas = 1;                 ///< 1, 3 or 5
  milliseconds ack_wait{30'000};    ///< a hint that nobody extended comes back after that; `ack_wait` is in seconds
  std::string credentials;          ///< a file of user credentials, or empty
};

/// Error: `bad_config`, which says what is wrong without telling a password.
[[nodiscard]] core::expected<address> parse_address(std::string_view url);

} // namespace penstock::jobs::nats
