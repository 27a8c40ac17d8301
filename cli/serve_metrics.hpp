#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "metrics/server.hpp"

namespace penstock::cli {

/// Serves metrics and health at HOST:PORT; nothing where that is empty. The error is what the program returns, and has
/// been reported.
[[nodiscard]] tl::expected<std::unique_ptr<metrics::server>, int> serve_metrics(const std::string& address,
                                                                                metrics::server_callbacks callbacks);

} // namespace penstock::cli
