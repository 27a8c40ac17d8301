#pragma once

#include <span>
#include <string>

#include "core/error.hpp"
#include "core/packet.hpp"

namespace penstock::media {

/// Writes packets as they are to a file (NUT, which takes nearly every codec) that `open_source` reads again: the same
/// payloads, codec and order; times begin at 0. Errors: `unsupported` (no container for the codec), `io`,
/// `invalid_argument` (no packets).
[[nodiscard]] core::expected<void> write_packet_file(const std::string& path, const core::codec_description& codec,
                                                     std::span<const core::packet_ptr> packets);

} // namespace penstock::media
