#pragma once

#include <string>

#include "core/error.hpp"

namespace penstock::media {

/// Tells whether a source is still what it was: number, sizes and times of change of its files, as text that people can
/// compare. Empty for sources that are no files of this machine, of which nothing can be told. Errors: `not_found`,
/// `io`.
[[nodiscard]] core::expected<std::string> input_identity(const std::string& uri);

} // namespace penstock::media
