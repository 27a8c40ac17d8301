#include "actors/pools.hpp"

#include <algorithm>
#include <utility>

namespace penstock::actors {

namespace {

std::vector<core::stage> stages_of(const topology::node_config& role) {
  std::vector<core::stage> out;
  for (const auto s : role.stages) {
    switch (s) {
    case topology::stage::decode: out.push_back(core::stage::decode); break;
    case topology::stage::preprocess: out.push_back(core::stage::preprocess); break;
    case topology::stage::inference: out.push_back(core::stage::inference); break;
    case topology::stage::postprocess: out.push_back(core::stage::postprocess); break;
    case topology::stage::source:
    case topology::stage::collector: break;
    }
  }
  return out;
}

void reach(const metrics::counter& counter, std::uint64_t value) {
  counter.add(std::max(0.0, static_cast<double>(value) - counter.value()));
}

} // namespace

pools::pools(const std::vector<topology::node_config>& nodes, const std::string& own_role, metrics::registry& metrics) {
  const auto add = [&](const std::string& role, std::vector<core::stage> stages) {
    if (stages.empty()) return;
    auto& p = pools_[role];
    p.series = metrics.pool(role, stages);
    p.takes_leases = std::ranges::find(stages, core::stage::decode) != stages.end();
    p.stages = std::move(stages);
  };
  if (own_role.empty())
    add(role_without_name, {core::all_stages.begin(), core::all_stages.end()});
  else
    for (const auto& node : nodes) add(node.role, stages_of(node));
}

void pools::heard(const std::string& role, const std::string& worker, const core::worker_figures& figures,
                  core::time_point now) {
  if (const auto at = pools_.find(role); at != pools_.end()) at->second.meter.heard(worker, figures, now);
}

void pools::gone(const std::string& role, const std::string& worker, bool lost, core::time_point now) {
  if (const auto at = pools_.find(role); at != pools_.end()) at->second.meter.gone(worker, lost, now);
}

std::vector<pool_report> pools::measure(const dispatch::pool_counts& counts, const dispatch::pool_load& load,
                                        const std::map<std::string, dispatch::pool_places>& places,
                                        core::time_point now) {
  std::vector<pool_report> out;
  for (auto& [role, p] : pools_) {
    auto of_role = load;
    of_role.places.reset();
    if (const auto at = places.find(role); at != places.end())
      of_role.places = at->second;
    else if (p.takes_leases)
      of_role.places = dispatch::pool_places{};
    out.push_back({role, p.meter.measure(counts, of_role, now)});
    show(p, out.back().figures);
  }
  return out;
}

void pools::show(const pool& p, const dispatch::pool_figures& figures) {
  const auto& s = p.series;
  reach(s.arrived, figures.arrived);
  reach(s.finished, figures.finished);
  reach(s.late, figures.late);
  s.arrival_rate.set(figures.arrivals_per_s);
  s.service_rate.set(figures.service_per_s);
  for (const auto each : p.stages) {
    const auto i = static_cast<std::size_t>(each);
    s.utilisation[i].set(figures.stage_utilisation[i]);
    s.bottleneck[i].set(figures.bottleneck == each ? 1 : 0);
  }
  s.worker_utilisation.set(figures.utilisation);
  s.backlog.set(figures.backlog_items);
  s.backlog_of_jobs.set(figures.backlog_of_jobs);
  s.backlog_seconds.set(figures.backlog.count());
  s.oldest.set(figures.oldest.count());
  s.headroom.set(figures.headroom_streams);
  s.live_streams.set(figures.live_streams);
  // Nobody is ready now and then; how many places one has does not change by that.
  if (figures.places_per_worker > 0) s.streams_per_worker.set(figures.places_per_worker);
  const auto show_workers = [&](metrics::worker_state state, std::uint32_t count) {
    s.workers[static_cast<std::size_t>(state)].set(count);
  };
  // Those that are joining only their fleet knows: who scales it tells them.
  show_workers(metrics::worker_state::warming, figures.workers.warming);
  show_workers(metrics::worker_state::ready, figures.workers.ready);
  show_workers(metrics::worker_state::draining, figures.workers.draining);
  show_workers(metrics::worker_state::lost, figures.workers.lost);
}

} // namespace penstock::actors
