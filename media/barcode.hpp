#pragma once

/// Inside this room only: draws what `read_barcode` reads.

#include "media/synthetic.hpp"

namespace penstock::media {

/// Draws 8 × 8 black and white cells into the top left corner of an I420 frame that the caller owns: 16 bits of
/// stream number, 32 of frame number, 16 of checksum, row by row.
void draw_barcode(const core::frame_view& view, const barcode& code);

} // namespace penstock::media
