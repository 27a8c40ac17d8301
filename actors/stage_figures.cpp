#include "actors/stage_figures.hpp"

#include <cmath>
#include <string_view>
#include <utility>

namespace penstock::actors {

namespace {

struct counted_stage {
  core::stage_figures fixed; ///< what does not change
  double weight = 1;         ///< how much of its resource it holds while it works
  metrics::stage_series series;
};

std::vector<core::stage> work_of(topology::part part) {
  std::vector<core::stage> out;
  for (const auto s : core::all_stages)
    if (topology::stages_of(part).find(core::to_string(s)) != std::string_view::npos) out.push_back(s);
  return out;
}

} // namespace

figures_source figures_of(const prepared_stages& prepared, const topology::stages_config& stages,
                          metrics::registry& metrics) {
  const auto& sizes = prepared.sizes;
  const bool model_waits = prepared.model.info.memory == core::memory_kind::device;
  std::vector<counted_stage> all;
  for (const auto s : work_of(prepared.part)) {
    const bool infers = s == core::stage::inference;
    const bool on_device = prepared.ring ? s != core::stage::decode : infers && model_waits;
    counted_stage each;
    each.fixed.stage = s;
    each.fixed.works_on = on_device ? core::resource::device : core::resource::cpu;
    each.fixed.parallel = static_cast<std::uint32_t>(on_device ? sizes.instances : sizes.cores);
    if (infers && !on_device) each.weight = stages.inference.threads;
    each.series = metrics.stage_of(s);
    all.push_back(std::move(each));
  }
  return [all = std::move(all)] {
    std::vector<core::stage_figures> out;
    for (const auto& each : all) {
      auto& figures = out.emplace_back(each.fixed);
      figures.items = static_cast<std::uint64_t>(each.series.items.value());
      figures.busy = std::chrono::microseconds{std::llround(each.series.busy.value() * each.weight * 1e6)};
    }
    return out;
  };
}

} // namespace penstock::actors
