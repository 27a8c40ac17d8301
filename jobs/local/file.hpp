#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "core/descriptor.hpp"
#include "core/error.hpp"

namespace penstock::jobs::local {

/// `io` (or `not_found`) with the path and what the operating system says of `code`, an errno.
[[nodiscard]] tl::unexpected<core::error> io_error(const std::filesystem::path& path, int code);

[[nodiscard]] core::expected<void> write_all(const core::descriptor& to, std::span<const std::byte> bytes,
                                             const std::filesystem::path& path);

/// Brings a folder's entries to the disk.
[[nodiscard]] core::expected<void> sync_folder(const std::filesystem::path& folder);

/// Makes a folder and those above it, and brings the new entries to the disk.
[[nodiscard]] core::expected<void> make_folders(const std::filesystem::path& folder);

} // namespace penstock::jobs::local
