#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "metrics/server.hpp"

namespace penstock::cli {

/// Serves metrics and health at HOST:PORT; nothing where that is empty. The error is what the program returns, and has
/// been reported.
[[nodiscard]] tl::expected<std::unique_ptr<metrics::server>, int> serve_metrics(const std::string& address,
                                                                                metrics::server_callbacks callbacks);

/// HOST:PORT of what is served at `address`, as others reach it: where that means every address of this machine, the
/// one that it has towards `peer` (`tcp://HOST:PORT`). Empty, with a warning, where there is no way there.
[[nodiscard]] std::string metrics_address(const std::string& address, std::uint16_t port, const std::string& peer);

} // namespace penstock::cli
