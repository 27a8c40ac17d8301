#pragma once

#include <filesystem>
#include <memory>

#include "jobs/blobs.hpp"

namespace penstock::jobs::local {

/// Blobs as files of a folder, which is made. A blob is written to a file of its own below `.new/`, brought to the disk
/// (fsync), and linked to its name, which fails where the name is taken: nobody ever sees half of it. Processes may
/// share the folder. Error: `io`.
[[nodiscard]] core::expected<std::shared_ptr<jobs::blobs>> open(const std::filesystem::path& folder);

} // namespace penstock::jobs::local
