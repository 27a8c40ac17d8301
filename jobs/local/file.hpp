#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "core/descriptor.hpp"
#include "core/error.hpp"
#include "core/system_failure.hpp"

namespace penstock::jobs::local {

[[nodiscard]] core::expected<void> write_all(const core::descriptor& to, std::span<const std::byte> bytes,
                                             const std::filesystem::path& path);

/// Brings a folder's entries to the disk.
[[nodiscard]] core::expected<void> sync_folder(const std::filesystem::path& folder);

/// Makes a folder and those above it, and brings the new entries to the disk.
[[nodiscard]] core::expected<void> make_folders(const std::filesystem::path& folder);

} // namespace penstock::jobs::local
