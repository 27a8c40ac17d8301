#include "scaling/simulator/report.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace penstock::scaling::simulator {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t most_slots = 5000;

json dropped_of(const results& run) {
  auto reasons = json::object();
  for (const auto reason : core::all_drop_reasons)
    if (const auto n = run.dropped[static_cast<std::size_t>(reason)]; n > 0)
      reasons[std::string{core::to_string(reason)}] = n;
  return reasons;
}

json moments_of(const results& run) {
  auto all = json::array();
  for (const auto& m : run.moments)
    all.push_back({{"at_s", m.at_s},
                   {"arrivals_per_s", m.arrivals_per_s},
                   {"wanted", m.wanted},
                   {"ready", m.ready},
                   {"paid", m.paid},
                   {"backlog", m.backlog},
                   {"latency_p95_s", m.latency_s},
                   {"late", m.late},
                   {"cost", m.cost},
                   {"why", m.why}});
  return all;
}

json optimum_of(const comparison& all, const std::optional<optimum>& found) {
  if (!found) return nullptr;
  return {{"bound_instance_h", found->bound_s / 3600},
          {"bound_cost", found->bound_s / 3600 * all.price_per_h},
          {"plan_instance_h", found->plan_s / 3600},
          {"plan_late_share", found->late_share},
          {"slot_s", all.slot_s},
          {"grain", found->grain},
          {"workers", found->workers}};
}

json run_of(const comparison& all, const results& run) {
  const auto ratio = cost_ratio(all, run);
  return {
      {"policy", run.policy},
      {"arrived", run.arrived},
      {"finished", run.finished},
      {"within", run.within},
      {"within_share", run.within_share()},
      {"dropped", dropped_of(run)},
      {"waiting", run.waiting},
      {"core", {{"leases", run.leases}, {"events", run.events}}},
      {"latency_s",
       {{"mean", run.times.mean_s()},
        {"p50", run.times.quantile_s(0.50)},
        {"p95", run.times.quantile_s(0.95)},
        {"p99", run.times.quantile_s(0.99)}}},
      {"instance_h", run.instance_s / 3600},
      {"cost", run.cost},
      {"cost_over_optimum", ratio > 0 ? json(ratio) : json(nullptr)},
      {"direction_changes", run.direction_changes},
      {"direction_changes_per_h", run.changes_per_h()},
      {"mean_workers", run.mean_workers},
      {"max_workers", run.max_workers},
      {"max_backlog", run.max_backlog},
      {"instances", {{"asked", run.asked}, {"failed", run.failed}, {"taken", run.taken}, {"not_given", run.not_given}}},
      {"moments", moments_of(run)}};
}

} // namespace

optimum_problem problem_of(const scenario& what, double late_share) {
  optimum_problem p;
  const auto items = what.demand.items();
  const auto streams = what.demand.streams();
  const auto seconds = static_cast<double>(items.size());
  const auto length =
      static_cast<std::size_t>(std::ceil(std::max(what.objective_s, seconds / static_cast<double>(most_slots))));
  for (std::size_t t = 0; t < items.size(); t += length) {
    double sum = 0;
    int places = 0;
    for (auto s = t; s < std::min(t + length, items.size()); ++s) {
      sum += items[s];
      if (!streams.empty()) places = std::max(places, streams[s]);
    }
    p.work.push_back(sum / what.service.most_per_s());
    if (!streams.empty()) p.least.push_back(std::min(what.controlling.max, (places - 1) / what.places() + 1));
  }
  p.least_always = what.controlling.min;
  p.most = what.controlling.max;
  p.slot_s = static_cast<double>(length);
  p.objective_s = what.objective_s;
  // Live frames that are late are shed, requests are given up at their deadline; a shorter patience makes the bound
  // lower, and the search shorter.
  if (what.demand.has_cameras())
    p.patience_s = what.objective_s;
  else
    p.patience_s = std::max(what.objective_s, std::min(what.deadline_s, 3 * what.objective_s));
  p.boot_s = what.machines.fastest_start_s();
  p.late_share = late_share;
  return p;
}

double cost_ratio(const comparison& all, const results& run) {
  return all.best && all.best->bound_s > 0 ? run.instance_s / all.best->bound_s : 0;
}

nlohmann::ordered_json to_json(const comparison& all) {
  auto runs = json::array();
  for (const auto& run : all.runs) runs.push_back(run_of(all, run));
  return {{"load", all.runs.empty() ? "" : all.runs.front().load},
          {"objective_s", all.objective_s},
          {"price_per_h", all.price_per_h},
          {"optimum", optimum_of(all, all.best)},
          {"optimum_nothing_late", optimum_of(all, all.perfect)},
          {"runs", runs}};
}

} // namespace penstock::scaling::simulator
