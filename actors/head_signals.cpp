#include <algorithm>
#include <utility>

#include "actors/head.hpp"

/// The part of the head that knows what came, what waits and who works, and makes the signals of scaling from it.
namespace penstock::actors {

namespace {

/// Of the frames of a source the share that is not sampled out, as far as it was read.
double wanted_share(const dispatch::ledger& read) {
  if (read.received == 0) return 1;
  const auto sampled = read.dropped_for(core::drop_reason::sampled);
  return static_cast<double>(read.received - sampled) / static_cast<double>(read.received);
}

std::uint64_t wanted(const dispatch::ledger& of) { return of.received - of.dropped_for(core::drop_reason::sampled); }

} // namespace

void head_state::configure_signals() {
  const auto& scaling = config_.topology.scaling;
  objective_ = scaling.value_or(topology::scaling_config{}).objective;
  pools_.emplace(config_.topology.nodes, config_.role, *config_.metrics);
  if (config_.door) demand_.refused = config_.metrics->http_refused("overload");
}

void head_state::note_fate(core::seconds took) { ++(took > objective_ ? demand_.counts.late : demand_.counts.timely); }

void head_state::note_arrivals(const head_stream& stream) {
  if (!comes_anyway(stream.report)) return;
  auto& counts = demand_.counts;
  const auto came = wanted(stream.report.ledger) - wanted(stream.exported);
  counts.arrived += came;
  if (!stream.report.lossless) counts.live += came;
  const auto shed = core::drop_reason::shed;
  counts.late += stream.report.ledger.dropped_for(shed) - stream.exported.dropped_for(shed);
}

/// By the door, before the head has heard of them.
void head_state::note_refused() {
  const auto refused = demand_.refused.value();
  const auto more = static_cast<std::uint64_t>(refused - std::exchange(demand_.refused_before, refused));
  demand_.counts.arrived += more;
  demand_.counts.late += more;
}

void head_state::note_job(const head_stream& stream) {
  if (!stream.report.job || stream.report.error) return;
  ++demand_.jobs_done;
  demand_.items_of_jobs += wanted(stream.report.ledger);
}

double head_state::items_to_come() const {
  double items = 0;
  double of_known = 0;
  std::size_t known = 0;
  std::size_t unread = 0; // they have not been opened
  for (const auto& [id, stream] : streams_) {
    const auto& report = stream.report;
    if (comes_anyway(report)) continue;
    const auto share = wanted_share(report.ledger);
    if (report.phase == stream_phase::running && !stream.ended)
      items += share * static_cast<double>(report.frames - std::min(report.frames, report.ledger.received));
    if (report.job) continue;
    if (report.phase == stream_phase::waiting || report.phase == stream_phase::opening) ++unread;
    if (report.frames == 0) continue;
    of_known += share * static_cast<double>(report.frames);
    ++known;
  }
  if (known > 0) items += static_cast<double>(unread) * of_known / static_cast<double>(known);
  return items;
}

double head_state::items_of_queued_jobs() const {
  if (demand_.jobs_done == 0) return 0;
  return static_cast<double>(demand_.jobs_waiting) * static_cast<double>(demand_.items_of_jobs) /
         static_cast<double>(demand_.jobs_done);
}

void head_state::measure_pools(const dispatch::waiting_load& waiting) {
  const auto now = core::clock::now();
  note_refused();
  if (figures_) {
    const auto phase = stop_deadline_ ? core::worker_phase::draining : core::worker_phase::ready;
    for (const auto id : local_) {
      auto& worker = workers_.at(id);
      worker.phase = phase;
      pools_->heard(worker.role, worker.name, {phase, figures_()}, now);
    }
  }
  dispatch::pool_load load;
  load.backlog_of_jobs = items_of_queued_jobs();
  load.backlog_items = static_cast<double>(waiting.frames) + items_to_come() + load.backlog_of_jobs;
  if (waiting.since) load.oldest = now - *waiting.since;
  load.live_streams = static_cast<std::uint32_t>(std::ranges::count_if(streams_, [](const auto& each) {
    return !each.second.report.lossless && each.second.report.phase == stream_phase::running;
  }));
  std::map<std::string, dispatch::pool_places> places;
  for (const auto& [id, worker] : workers_) {
    auto& of_role = places[worker.role];
    if (worker.phase != core::worker_phase::ready) continue;
    const auto used = core_->dispatching().load_of(id).live;
    of_role.all += worker.live_streams;
    of_role.free += worker.live_streams - std::min(worker.live_streams, used);
  }
  measured_ = pools_->measure(demand_.counts, load, places, now);
}

void head_state::on(const machine_seen& message) {
  const auto now = core::clock::now();
  machines_.insert_or_assign(message.machine, known_machine{message, now});
  pools_->heard(message.role, message.name, message.figures, now);
}

void head_state::on(const machine_gone& message) {
  const auto gone = machines_.extract(message.machine);
  if (!gone) return;
  const auto& seen = gone.mapped().seen;
  pools_->gone(seen.role, seen.name, message.lost, core::clock::now());
}

/// It has become a worker that takes leases.
void head_state::forget_machine(const std::string& called) {
  std::erase_if(machines_, [&](const auto& each) { return each.second.seen.name == called; });
}

void head_state::on(const jobs_waiting& message) { demand_.jobs_waiting = message.jobs; }

} // namespace penstock::actors
