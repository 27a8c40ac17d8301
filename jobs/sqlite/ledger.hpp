#pragma once

#include <memory>

#include "jobs/ledger.hpp"
#include "jobs/sqlite/database.hpp"

namespace penstock::jobs::sqlite {

[[nodiscard]] std::shared_ptr<jobs::ledger> make_ledger(std::shared_ptr<database> on);

} // namespace penstock::jobs::sqlite
