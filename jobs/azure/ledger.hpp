#pragma once

#include <memory>
#include <string>

#include "jobs/azure/service.hpp"
#include "jobs/ledger.hpp"

namespace penstock::jobs::azure {

/// A ledger whose keys are blobs of a container and whose versions are their entity tags.
[[nodiscard]] std::shared_ptr<jobs::ledger> make_ledger(std::shared_ptr<service> blob, std::string container);

} // namespace penstock::jobs::azure
