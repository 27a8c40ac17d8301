#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace penstock::inference {

/// Reads a label file: UTF-8, one label a line in the order of the model's classes; blank lines at the end do not
/// count. Errors: `not_found`, `io`, `corrupt` (no labels in it).
[[nodiscard]] core::expected<std::vector<std::string>> load_labels(const std::filesystem::path& file);

/// Labels for a model with so many classes: the given ones, or "class 0", "class 1", … when there are none. Error:
/// `bad_config`, with both numbers, when they do not match.
[[nodiscard]] core::expected<std::vector<std::string>> labels_for(std::vector<std::string> labels, std::size_t classes);

} // namespace penstock::inference
