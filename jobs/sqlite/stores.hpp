#pragma once

#include <filesystem>
#include <memory>

#include "jobs/hints.hpp"
#include "jobs/job_queue.hpp"
#include "jobs/ledger.hpp"

namespace penstock::jobs::sqlite {

struct tables {
  std::shared_ptr<jobs::ledger> ledger;
  std::shared_ptr<jobs::hints> hints;
};

/// Ledger and hints in one file, which is made where there is none; its folder must exist. The clock says when hints
/// are seen again.
[[nodiscard]] core::expected<tables> open(const std::filesystem::path& file, wall_clock clock);

} // namespace penstock::jobs::sqlite
