#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "jobs/nats/connection.hpp"

namespace penstock::jobs::nats {

/// Makes a stream unless it is there. Error: `bad_config` where it is there with other settings.
[[nodiscard]] core::expected<void> make_stream(connection& over, const std::string& name,
                                               const nlohmann::json& settings);

} // namespace penstock::jobs::nats
