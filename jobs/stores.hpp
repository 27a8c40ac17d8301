#pragma once

#include "jobs/job_queue.hpp"
#include "topology/nodes_config.hpp"

namespace penstock::jobs {

/// Opens the stores that a topology's `jobs` names; addresses are described in docs/jobs.md. Errors: `bad_config` for
/// an address that is none, `unsupported` for a kind that this build does not have, and those of the stores.
[[nodiscard]] core::expected<job_stores> open_stores(const topology::jobs_config& config,
                                                     const wall_clock& clock = system_clock());

} // namespace penstock::jobs
