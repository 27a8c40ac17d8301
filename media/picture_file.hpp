#pragma once

/// Inside this room only: one picture file as one packet.

#include <cstdint>
#include <string>

#include "media/picture_packet.hpp"

namespace penstock::media {

/// Reads a picture. One that cannot be read gives a damaged packet without bytes; of one beyond `max_pixels`, only the
/// headers, from which the decoder says so.
[[nodiscard]] picture_packet read_picture(const std::string& path, std::uint64_t max_pixels);

} // namespace penstock::media
