#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "core/error.hpp"

namespace penstock::inference {

/// SHA-256 (FIPS 180-4) of some bytes, as 64 hexadecimal digits.
[[nodiscard]] std::string sha256(std::span<const std::byte> bytes);

/// SHA-256 of a file's content, as `sha256sum` prints it. Errors: `not_found`, `io`.
[[nodiscard]] core::expected<std::string> sha256_of_file(const std::filesystem::path& file);

} // namespace penstock::inference
