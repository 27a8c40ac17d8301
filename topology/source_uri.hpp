#pragma once

#include <string_view>

namespace penstock::topology {

/// Whether a file's name says that it is a picture, or a video.
[[nodiscard]] bool is_picture(std::string_view file);
[[nodiscard]] bool is_video(std::string_view file);

} // namespace penstock::topology
