#pragma once

#include <filesystem>

#include "core/error.hpp"

namespace penstock::actors::sinks {

/// Has a finished file, and its name in its folder, reach the disk, before a checkpoint says that it is complete.
/// Nothing to do for what is no file. Error: `io`.
[[nodiscard]] core::expected<void> make_durable(const std::filesystem::path& path);

} // namespace penstock::actors::sinks
