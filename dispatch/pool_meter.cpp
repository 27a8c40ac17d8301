#include "dispatch/pool_meter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace penstock::dispatch {

namespace {

constexpr std::chrono::seconds slot_length{1};

/// Less work than this tells nothing about a rate.
constexpr core::seconds least_work{0.05};

template <class T>
constexpr std::size_t index(T value) noexcept {
  return static_cast<std::size_t>(value);
}

std::uint64_t growth(std::uint64_t from, std::uint64_t to) noexcept { return to < from ? 0 : to - from; }

double share(core::seconds part, core::seconds whole) noexcept {
  return whole > whole.zero() ? std::min(1.0, part / whole) : 0.0;
}

const core::stage_figures* find(const core::worker_figures& in, core::stage s) noexcept {
  const auto at = std::ranges::find(in.stages, s, &core::stage_figures::stage);
  return at == in.stages.end() ? nullptr : &*at;
}

/// What a worker finishes is what its last stage does.
const core::stage_figures* last_stage(const core::worker_figures& in) noexcept {
  const auto at = std::ranges::max_element(in.stages, {}, &core::stage_figures::stage);
  return at == in.stages.end() ? nullptr : &*at;
}

/// Whether the second are later figures of the process that told the first.
bool goes_on(const core::worker_figures& before, const core::worker_figures& now) noexcept {
  return std::ranges::all_of(before.stages, [&](const core::stage_figures& was) {
    const auto* is = find(now, was.stage);
    return is != nullptr && is->items >= was.items && is->busy >= was.busy;
  });
}

} // namespace

pool_meter::slot& pool_meter::slot::operator+=(const slot& other) noexcept {
  arrived += other.arrived;
  live += other.live;
  timely += other.timely;
  late += other.late;
  all_items += other.all_items;
  items += other.items;
  for (std::size_t r = 0; r < resources; ++r) {
    ready[r] += other.ready[r];
    there[r] += other.there[r];
    for (std::size_t s = 0; s < stages; ++s) {
      busy[r][s] += other.busy[r][s];
      room[r][s] += other.room[r][s];
    }
  }
  return *this;
}

pool_meter::slot& pool_meter::slot_at(core::time_point now) {
  while (!slots_.empty() && slots_.front().begin + slot_length <= now - config_.window) slots_.pop_front();
  if (slots_.empty() || now >= slots_.back().begin + slot_length) slots_.emplace_back().begin = now;
  return slots_.back();
}

void pool_meter::heard(const std::string& worker, const core::worker_figures& figures, core::time_point now) {
  lost_.erase(worker);
  auto& in = slot_at(now);
  const auto [at, is_new] = workers_.try_emplace(worker);
  auto& w = at->second;
  if (!is_new && now - w.at <= config_.longest_gap && goes_on(w.figures, figures))
    count_work(w.figures, figures, now - w.at, in);
  w = {figures, now};
}

void pool_meter::count_work(const core::worker_figures& before, const core::worker_figures& after, core::seconds passed,
                            slot& in) {
  const auto* last = last_stage(after);
  const auto* last_before = last == nullptr ? nullptr : find(before, last->stage);
  const auto done = last_before == nullptr ? 0 : growth(last_before->items, last->items);
  in.all_items += static_cast<double>(done);
  finished_ += done;
  const auto ready = core::worker_phase::ready;
  if (before.phase != ready || after.phase != ready) return;
  in.items += static_cast<double>(done);
  std::array<std::uint32_t, resources> amount{};
  for (const auto& is : after.stages) {
    const auto* was = find(before, is.stage);
    if (was == nullptr) continue;
    const auto r = index(is.works_on);
    const auto s = index(is.stage);
    const auto places = std::max<std::uint32_t>(is.parallel, 1);
    in.busy[r][s] += is.busy - was->busy;
    in.room[r][s] += passed * places;
    amount[r] = std::max(amount[r], places);
  }
  for (std::size_t r = 0; r < resources; ++r) {
    if (amount[r] > 0) in.ready[r] += passed;
    in.there[r] += passed * amount[r];
  }
}

void pool_meter::gone(const std::string& worker, bool lost, core::time_point now) {
  if (workers_.erase(worker) > 0 && lost) lost_[worker] = now;
}

pool_workers pool_meter::count_workers(core::time_point now) {
  std::erase_if(lost_, [&](const auto& each) { return now - each.second >= config_.lost_for; });
  pool_workers out;
  out.lost = static_cast<std::uint32_t>(lost_.size());
  for (const auto& [name, w] : workers_) {
    switch (w.figures.phase) {
    case core::worker_phase::warming: ++out.warming; break;
    case core::worker_phase::ready: ++out.ready; break;
    case core::worker_phase::draining: ++out.draining; break;
    }
  }
  return out;
}

/// What the sums of the window say about work.
void pool_meter::rate_work(const slot& sum, pool_figures& out) {
  std::size_t busiest = 0;
  for (std::size_t r = 0; r < resources; ++r) {
    const auto& busy = sum.busy[r];
    const auto used = share(std::accumulate(busy.begin(), busy.end(), core::seconds{0}), sum.there[r]);
    if (used <= out.utilisation) continue;
    out.utilisation = used;
    busiest = r;
  }
  for (const auto s : core::all_stages) {
    core::seconds busy{0};
    core::seconds room{0};
    for (std::size_t r = 0; r < resources; ++r) {
      busy += sum.busy[r][index(s)];
      room += sum.room[r][index(s)];
    }
    out.stage_utilisation[index(s)] = share(busy, room);
  }
  const auto& of_busiest = sum.busy[busiest];
  if (out.utilisation > 0)
    out.bottleneck = core::all_stages[index(std::ranges::max_element(of_busiest) - of_busiest.begin())];
  const auto work = out.utilisation * sum.ready[busiest];
  if (work >= least_work && sum.items > 0) service_per_s_ = sum.items / work.count();
  out.service_per_s = service_per_s_;
}

/// What there is to do, in terms of those who do it.
void pool_meter::rate_load(const slot& sum, const pool_load& load, pool_figures& out) {
  out.backlog_items = load.backlog_items;
  out.backlog_of_jobs = load.backlog_of_jobs;
  out.oldest = load.oldest;
  out.live_streams = load.live_streams;
  const auto known = sum.timely + sum.late;
  out.late_share = known > 0 ? sum.late / known : 0;
  const auto at_most_per_s = out.workers.ready * out.service_per_s;
  if (load.backlog_items > 0)
    out.backlog =
        core::seconds{at_most_per_s > 0 ? load.backlog_items / at_most_per_s : std::numeric_limits<double>::infinity()};
  if (out.workers.ready == 0) return;
  if (load.places) {
    out.places_per_worker = static_cast<double>(load.places->all) / out.workers.ready;
    out.headroom_streams = load.places->free;
  }
  if (load.live_streams == 0 || sum.live <= 0 || out.window <= out.window.zero() || at_most_per_s <= 0) return;
  const auto of_a_stream_per_s = sum.live / out.window.count() / load.live_streams;
  const auto more = std::max(0.0, std::floor((at_most_per_s - out.arrivals_per_s) / of_a_stream_per_s));
  out.headroom_streams = load.places ? std::min(more, out.headroom_streams) : more;
}

pool_figures pool_meter::measure(const pool_counts& counts, const pool_load& load, core::time_point now) {
  auto& here = slot_at(now);
  const auto grow = [](double& to, std::uint64_t from, std::uint64_t now_is) {
    to += static_cast<double>(growth(from, now_is));
  };
  grow(here.arrived, counted_.arrived, counts.arrived);
  grow(here.live, counted_.live, counts.live);
  grow(here.timely, counted_.timely, counts.timely);
  grow(here.late, counted_.late, counts.late);
  counted_ = counts;
  slot sum;
  for (const auto& each : slots_) sum += each;

  pool_figures out;
  out.at = now;
  out.window = now - slots_.front().begin;
  out.arrived = counts.arrived;
  out.finished = finished_;
  out.late = counts.late;
  if (out.window >= slot_length) {
    out.arrivals_per_s = sum.arrived / out.window.count();
    out.finished_per_s = sum.all_items / out.window.count();
  }
  out.workers = count_workers(now);
  rate_work(sum, out);
  rate_load(sum, load, out);
  return out;
}

} // namespace penstock::dispatch
