#pragma once

#include <functional>
#include <vector>

#include "actors/stages.hpp"
#include "core/worker_figures.hpp"
#include "metrics/families.hpp"
#include "topology/stages_config.hpp"

namespace penstock::actors {

/// What the stages of this process have done so far.
using figures_source = std::function<std::vector<core::stage_figures>()>;

/// The stages of a worker that these parts are of, and what each works on: on the cores of the machine, but for what a
/// device does, and the model where it has threads of its own and waits for a device. They read the metrics of the
/// process, so any thread may ask.
[[nodiscard]] figures_source figures_of(const prepared_stages& prepared, const topology::stages_config& stages,
                                        metrics::registry& metrics);

} // namespace penstock::actors
