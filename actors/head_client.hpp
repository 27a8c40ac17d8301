#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "transport/keys.hpp"

/// What programs ask a head for without being workers.
namespace penstock::actors {

struct head_address {
  std::string address; ///< tcp://HOST:PORT
  std::optional<transport::key_ring> keys{};
  std::string software = "penstock";
};

/// The head's topology file, resolved. Waits for the head until it is there, and logs once that it is not. Errors:
/// `cancelled` (`stopped`, which is asked many times a second, said so), `unsupported` (another version),
/// `bad_config` (the address).
[[nodiscard]] core::expected<std::string> fetch_topology(const head_address& head,
                                                         const std::function<bool()>& stopped);

/// Has the worker of that name drained, and waits until it has left; returns how it left. Errors: `unavailable` (no
/// answer within `patience`, or the head went away), `not_found` (no such worker; says which there are).
[[nodiscard]] core::expected<std::string> drain_worker(const head_address& head, const std::string& worker,
                                                       std::chrono::milliseconds patience);

} // namespace penstock::actors
