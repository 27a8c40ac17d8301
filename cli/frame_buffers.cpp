#include "cli/frame_buffers.hpp"

#include <malloc.h>

namespace penstock::cli {

void keep_frame_buffers() {
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

} // namespace penstock::cli
