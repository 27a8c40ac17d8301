#include "jobs/sqlite/stores.hpp"

#include <utility>

#include "jobs/sqlite/database.hpp"
#include "jobs/sqlite/hints.hpp"
#include "jobs/sqlite/ledger.hpp"

namespace penstock::jobs::sqlite {

core::expected<tables> open(const std::filesystem::path& file, wall_clock clock) {
  auto on = database::open(file);
  if (!on) return tl::unexpected{on.error()};
  return tables{make_ledger(*on), make_hints(*on, std::move(clock))};
}

} // namespace penstock::jobs::sqlite
