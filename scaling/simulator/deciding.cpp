#include <algorithm>
#include <numeric>
#include <utility>

#include "scaling/simulator/world.hpp"

namespace penstock::scaling::simulator {

std::uint64_t results::dropped_total() const noexcept {
  return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0});
}

double results::within_share() const noexcept {
  return arrived == 0 ? 1 : static_cast<double>(within) / static_cast<double>(arrived);
}

double results::changes_per_h() const noexcept { return direction_changes / (length_s / 3600); }

std::uint64_t world::dropped_so_far() const {
  auto sum = results_.dropped_total();
  for (std::uint32_t i = 0; i < cameras_.size(); ++i)
    if (cameras_[i].open) sum += head_.collecting().ledger_of({i}).dropped_total();
  return sum;
}

world::sums world::sum_up() {
  count_working(0);
  const auto dropped = dropped_so_far();
  auto all = sums_;
  all.at_us = now_us_;
  all.over = all.finished + dropped;
  all.late += dropped;
  return all;
}

worker_counts world::count_workers() const noexcept {
  worker_counts count;
  for (const auto i : there_) {
    switch (machines_[i].now) {
    case phase::joining: ++count.joining; break;
    case phase::warming: ++count.warming; break;
    case phase::ready: ++count.ready; break;
    case phase::draining: ++count.draining; break;
    case phase::left:
    case phase::failed:
    case phase::gone: break;
    }
  }
  return count;
}

/// By the formulas of `signals`, from sums as the head's metrics have them.
signals world::see(const sums& all) {
  while (past_.size() > 1 && all.at_us - past_[1].at_us >= to_us(what_.window_s)) past_.pop_front();
  const auto& before = past_.front();
  const auto seconds = to_s(all.at_us - before.at_us);
  const auto per_s = [&](std::uint64_t to, std::uint64_t from) { return static_cast<double>(to - from) / seconds; };
  const auto busy_s = (all.busy_us - before.busy_us) * 1e-6 / what_.service.instances;
  const auto worked_s = (all.worked_us - before.worked_us) * 1e-6;

  signals seen;
  seen.at = now();
  seen.window = core::seconds{seconds};
  seen.arrivals_per_s = per_s(all.arrived, before.arrived);
  seen.served_per_s = per_s(all.finished, before.finished);
  if (busy_s > 0) service_per_s_ = static_cast<double>(all.finished - before.finished) / busy_s;
  seen.service_per_s = service_per_s_;
  seen.utilisation = worked_s > 0 ? std::min(1.0, busy_s / worked_s) : 0;
  if (all.over > before.over)
    seen.late_share = static_cast<double>(all.late - before.late) / static_cast<double>(all.over - before.over);
  seen.workers = count_workers();
  const auto waiting = head_.dispatching().waiting();
  seen.backlog_items = static_cast<double>(waiting.frames);
  if (waiting.since) seen.oldest = now() - *waiting.since;
  seen.live_streams = cameras_on_;
  seen.streams_per_worker = what_.places();
  return seen;
}

fleet_state world::fleet_seen() const {
  fleet_state state;
  state.target = target_;
  for (const auto i : there_) {
    const auto now = machines_[i].now;
    const auto as = now == phase::failed    ? instance_state::failed
                    : now == phase::joining ? instance_state::provisioning
                                            : instance_state::running;
    state.instances.push_back({std::to_string(i), std::to_string(i), as});
  }
  return state;
}

std::vector<worker_view> world::workers_seen() const {
  std::vector<worker_view> workers;
  for (const auto i : there_) {
    const auto& m = machines_[i];
    const auto add = [&](worker_stage stage) {
      workers.push_back({std::to_string(i), stage, static_cast<int>(m.tasks)});
    };
    switch (m.now) {
    case phase::warming: add(worker_stage::warming); break;
    case phase::ready: add(worker_stage::ready); break;
    case phase::draining: add(worker_stage::draining); break;
    case phase::left: add(worker_stage::gone); break;
    case phase::joining:
    case phase::failed:
    case phase::gone: break;
    }
  }
  return workers;
}

void world::decide() {
  const auto all = sum_up();
  const auto seen = see(all);
  past_.push_back(all);
  const auto made = controller_.decide(now(), {seen, fleet_seen(), workers_seen()});
  act(made);
  note(made, all, seen.backlog_items);
}

/// In the order that decisions ask for.
void world::act(const decision& made) {
  const auto named = [this](const std::string& name) -> machine& { return machines_[std::stoul(name)]; };
  for (const auto& name : made.drain) drain(named(name));
  for (const auto& id : made.retire) {
    auto& m = named(id);
    if (m.works()) // it did not drain in time
      abandon(m, true);
    else
      stop(m, phase::gone);
  }
  target_ -= static_cast<int>(made.retire.size());
  if (!made.target) return;
  target_ = *made.target;
  for (auto missing = target_ - static_cast<int>(there_.size()); missing > 0; --missing) {
    if (static_cast<int>(there_.size()) >= what_.machines.available) {
      results_.not_given += missing;
      return;
    }
    const auto number = ask_for_instance();
    at(now_us_ + to_us(rng_.uniform(what_.machines.boot_from_s, what_.machines.boot_to_s)), kind::booted, number);
  }
}

void world::note(const decision& made, const sums& all, double backlog) {
  moment m;
  m.at_s = to_s(now_us_);
  m.arrivals_per_s = static_cast<double>(all.arrived - noted_.arrived) / std::max(1e-6, to_s(all.at_us - noted_.at_us));
  m.wanted = made.want;
  m.ready = count_workers().ready;
  m.paid = static_cast<int>(there_.size());
  m.backlog = backlog;
  m.latency_s = interval_times_.quantile_s(0.95);
  if (all.over > noted_.over)
    m.late = static_cast<double>(all.late - noted_.late) / static_cast<double>(all.over - noted_.over);
  m.cost = instance_s() / 3600 * what_.machines.price_per_h;
  m.why = made.why;
  results_.max_backlog = std::max(results_.max_backlog, m.backlog);
  results_.moments.push_back(std::move(m));
  interval_times_.clear();
  noted_ = all;
}

double world::instance_s() const noexcept {
  auto sum = gone_instance_s_;
  const auto until = std::min(now_us_, end_us_);
  for (const auto i : there_) sum += to_s(until - std::min(machines_[i].asked_us, until));
  return sum;
}

void world::conclude() {
  count_working(0);
  const auto streams = cameras_.empty() ? requests_.end_number() : cameras_.size();
  for (auto i = requests_.first(); i < streams; ++i) {
    const auto& books = head_.collecting().ledger_of({static_cast<std::uint32_t>(i)}); // empty of those that are over
    for (std::size_t reason = 0; reason < books.dropped.size(); ++reason)
      results_.dropped[reason] += books.dropped[reason];
    results_.waiting += books.in_flight();
  }
  results_.direction_changes = static_cast<int>(controller_.counts().direction_changes);
  results_.arrived = sums_.arrived;
  results_.finished = sums_.finished;
  results_.instance_s = instance_s();
  results_.cost = results_.instance_s / 3600 * what_.machines.price_per_h;
  results_.mean_workers = sums_.worked_us * 1e-6 / results_.length_s;
}

} // namespace penstock::scaling::simulator
