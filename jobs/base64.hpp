#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace penstock::jobs {

/// Base 64 of RFC 4648, with padding.
[[nodiscard]] std::string to_base64(std::span<const std::byte> bytes);
[[nodiscard]] std::string to_base64(std::string_view text);

/// Nullopt for what is no base 64: other letters, missing padding.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

} // namespace penstock::jobs
