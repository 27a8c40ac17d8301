#pragma once

#include <memory>

#include "jobs/hints.hpp"
#include "jobs/job_queue.hpp"
#include "jobs/sqlite/database.hpp"

namespace penstock::jobs::sqlite {

[[nodiscard]] std::shared_ptr<jobs::hints> make_hints(std::shared_ptr<database> on, wall_clock clock);

} // namespace penstock::jobs::sqlite
