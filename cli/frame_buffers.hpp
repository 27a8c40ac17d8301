#pragma once

namespace penstock::cli {

/// Frame buffers come and go with every segment. Without this glibc gives them back to the kernel each time and takes
/// new zeroed pages for the next (a third of all system time); what it keeps instead is bounded by what was in use.
void keep_frame_buffers();

} // namespace penstock::cli
