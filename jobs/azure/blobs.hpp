#pragma once

#include <memory>
#include <string>

#include "jobs/azure/service.hpp"
#include "jobs/blobs.hpp"

namespace penstock::jobs::azure {

/// Block blobs of a container, in blocks of 4 MiB. Blocks of a writer that died are not seen, and Azure removes them
/// after a week.
[[nodiscard]] std::shared_ptr<jobs::blobs> make_blobs(std::shared_ptr<service> blob, std::string container);

} // namespace penstock::jobs::azure
