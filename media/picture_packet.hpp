#pragma once

#include <memory>
#include <string>

#include "core/error.hpp"
#include "core/packet.hpp"

namespace penstock::media {

/// A picture as a packet that stands by itself.
struct picture_packet {
  std::shared_ptr<core::packet> packet; ///< without times
  core::codec_ptr codec;                ///< the same pointer for every picture of a codec
};

/// A picture file's bytes, in memory, as a packet. `unsupported` where they do not begin as a JPEG, PNG, WebP or BMP
/// does.
[[nodiscard]] core::expected<picture_packet> picture_in_memory(std::string bytes);

} // namespace penstock::media
