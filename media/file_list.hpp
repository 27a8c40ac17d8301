#pragma once

/// Inside this room only: which files a path, a pattern or a folder means.

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace penstock::media {

/// Orders names as people do: "shot2" before "shot10".
[[nodiscard]] bool natural_less(std::string_view a, std::string_view b) noexcept;

/// Whether the name ends like a picture's (.jpg, .jpeg, .png, .webp, .bmp, in any case); which codec it promises.
[[nodiscard]] std::string_view codec_of_name(std::string_view path) noexcept;

/// Whether this is a pattern (`*`, `?`, `[`) and not the name of a file that is there.
[[nodiscard]] bool is_pattern(const std::string& path);

/// The files in natural order: of a pattern, or the pictures of a folder. `not_found` when there are none.
[[nodiscard]] core::expected<std::vector<std::string>> list_files(const std::string& path);

} // namespace penstock::media
