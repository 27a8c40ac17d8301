#include "front/state_door.hpp"

#include <algorithm>
#include <utility>

#include "core/cores.hpp"
#include "front/views.hpp"

namespace penstock::front {

state_door::state_door(actors::node& node, const topology::config& topology, std::string version)
    : node_{node}, cores_{std::max(1U, core::usable_cores())} {
  fixed_.pipeline = topology.pipeline;
  fixed_.version = std::move(version);
  fixed_.model = topology.stages.inference.model.filename().string();
  fixed_.engine = node.engine();
  fixed_.device = node.device();
  for (std::size_t i = 0; i < seen_.size(); ++i) seen_[i].series = node.metrics().stage_of(metrics::all_stages[i]);
}

void state_door::state(std::stop_token, gateway::completion<gateway::state_view> done) {
  auto view = fixed_;
  const auto report = node_.report();
  const auto now = core::clock::now();
  view.draining = report.shutting_down;
  view.uptime = now - began_;
  for (const auto& stream : report.streams)
    if (!stream.job) view.streams.push_back(view_of(stream));
  for (const auto& other : report.others) {
    view.others.push_back(
        {other.id, other.ledger.received, other.ledger.delivered, other.ledger.in_flight(), drops_of(other.ledger)});
  }
  for (const auto& worker : report.workers) {
    gateway::worker_view w;
    w.name = worker.name;
    w.role = worker.role;
    const bool silent = worker.heard && *worker.heard > core::seconds{5};
    w.state = silent ? "silent" : worker.phase == core::worker_phase::ready ? "working" : core::to_string(worker.phase);
    w.stages = worker.stages;
    w.device = worker.heard ? "" : fixed_.device;
    const auto share = [](std::uint32_t used, std::uint32_t of) {
      return of == 0 ? 0.0 : std::min(1.0, static_cast<double>(used) / of);
    };
    const auto busy = worker.bulk_segments - std::min(worker.bulk_segments, worker.credit);
    w.load = std::max(share(busy, worker.bulk_segments), share(worker.live, worker.live_streams));
    w.leases = worker.bulk + worker.live + worker.requests;
    w.credit = worker.credit;
    w.heard = worker.heard.value_or(core::seconds{0});
    view.workers.push_back(std::move(w));
  }
  const std::lock_guard lock{mutex_};
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    auto& stage = seen_[i];
    const auto count = [](double value) { return static_cast<std::uint64_t>(std::max(value, 0.0)); };
    gateway::stage_view s;
    s.name = metrics::to_string(metrics::all_stages[i]);
    s.items_per_s = stage.items.at(count(stage.series.items.value()), now);
    s.utilisation = std::min(1.0, stage.busy_us.at(count(stage.series.busy.value() * 1e6), now) / 1e6 / cores_);
    s.queue = count(stage.series.queue.value());
    view.stages.push_back(std::move(s));
  }
  done(std::move(view));
}

} // namespace penstock::front
