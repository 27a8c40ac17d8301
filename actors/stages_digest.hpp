#pragma once

#include <string>

#include "core/error.hpp"
#include "topology/config.hpp"

namespace penstock::actors {

/// What two machines must agree on for the same frame to have the same result on both: the content of the model and how
/// frames are decoded, preprocessed and postprocessed; not where and how fast. SHA-256, hexadecimal. Errors:
/// `not_found`, `io` (the model's file).
[[nodiscard]] core::expected<std::string> stages_digest(const topology::config& topology);

} // namespace penstock::actors
