#pragma once

#include <memory>
#include <string>

#include "jobs/azure/service.hpp"
#include "jobs/hints.hpp"

namespace penstock::jobs::azure {

/// Hints as messages of a queue. Times are whole seconds, rounded up.
[[nodiscard]] std::shared_ptr<jobs::hints> make_hints(std::shared_ptr<service> queue, std::string name);

} // namespace penstock::jobs::azure
