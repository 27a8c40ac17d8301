#include "actors/worker_gate.hpp"

#include <algorithm>
#include <caf/exit_reason.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/link_metrics.hpp"

namespace penstock::actors {

namespace {

constexpr unsigned ticks_of_lease = 5;      ///< in a `lease_timeout`
constexpr unsigned most_unserved_ticks = 2; ///< live streams would count a lease without outcomes as failed after 5

} // namespace

void worker_gate_state::configure(worker_gate_actor::pointer self, const worker_gate_config& config, gate_outlet head) {
  self_ = self;
  config_ = config;
  head_ = std::move(head);
  next_worker_ = config.first_worker;
}

void worker_gate_state::send(transport::peer_id peer, const transport::message& message) {
  // A peer that cannot be sent to is reported by its link, if it is not gone already.
  static_cast<void>(config_.hub->send(peer, message));
}

void worker_gate_state::refuse(transport::peer_id peer, std::string reason, bool rejoin) {
  send(peer, transport::refused{transport::protocol_version, rejoin, std::move(reason)});
}

void worker_gate_state::greet(transport::peer_id peer, const transport::hello& hello) {
  if (workers_.contains(peer)) part(peer, "it said hello again");
  if (stages_.find(peer)) part_stages(peer, "it said hello again");
  std::vector<transport::peer_id> watchers;
  if (auto before = warming_.extract(peer)) {
    watchers = std::move(before.mapped().watchers);
    self_->send(head_, machine_gone{before.mapped().seen.machine});
  }
  transport::welcome welcome;
  welcome.epoch = config_.epoch;
  welcome.lease_timeout = config_.lease_timeout;
  welcome.config_digest = config_.config_digest;
  if (hello.stages.empty()) { // it only wants to know, or to ask for something
    welcome.topology = config_.topology;
    return send(peer, welcome);
  }
  if (std::ranges::find(config_.roles, hello.role) == config_.roles.end())
    return refuse(peer, fmt::format("role \"{}\" does not join here; those that do: {}", hello.role,
                                    fmt::join(config_.roles, ", ")));
  if (hello.config_digest != config_.config_digest)
    return refuse(peer, fmt::format("its topology has other stages (digest {:.12}) than the head's ({:.12})",
                                    hello.config_digest, config_.config_digest));
  for (const auto& [other, w] : workers_) {
    if (w.name != hello.name) continue;
    // Mostly it is the same one over a new link, whose old end is heard of no more. Where two are called the same, the
    // one before must not come back again and again.
    spdlog::info("worker {} came over a new link", w.name);
    refuse(other, fmt::format("another worker that is called \"{}\" has joined", w.name));
    part(other, "it came over a new link");
    break;
  }
  if (const auto other = stages_.named(hello.name); other && *other != peer) {
    refuse(*other, fmt::format("another worker that is called \"{}\" has joined", hello.name));
    part_stages(*other, "it came over a new link");
  }
  for (const auto& [other, w] : warming_) {
    if (w.seen.name != hello.name) continue;
    refuse(other, fmt::format("another worker that is called \"{}\" has joined", hello.name));
    stop_awaiting(other, "it came over a new link");
    break;
  }
  if (hello.warming) return await(peer, hello, welcome);
  if (hello.former_epoch == config_.epoch && hello.former != core::worker_id{})
    self_->send(head_, worker_returned{hello.former});
  if (is_behind_link(hello)) return join_stages(peer, hello, welcome, std::move(watchers));
  joined w;
  w.watchers = std::move(watchers);
  w.worker = {next_worker_++};
  w.name = hello.name;
  w.proxy = self_->spawn(remote_worker, remote_worker_config{w.worker, peer, config_.hub}, remote_worker_outlet{self_});
  welcome.worker = w.worker;
  send(peer, welcome);
  spdlog::info("worker {} joined as {}: {} segments, {} live streams at a time", w.name, w.worker.value,
               hello.bulk_segments, hello.live_streams);
  w.waiting = worker_joined{w.worker, w.proxy,      hello.bulk_segments, hello.live_streams,
                            w.name,   hello.stages, hello.role,          hello.metrics};
  w.stages = hello.stages;
  for (const auto& entry : stages_.for_sender(w.stages)) send(peer, entry);
  if (is_whole(w.stages) || stages_.serves(w.stages))
    let_in(w);
  else
    spdlog::info("worker {} waits for machines that take what it sends", w.name);
  workers_.emplace(peer, std::move(w));
}

void worker_gate_state::drain(transport::peer_id peer, const transport::drain& request) {
  if (const auto self = workers_.find(peer); self != workers_.end()) {
    spdlog::info("worker {} is leaving", self->second.name);
    return self_->send(head_, worker_leaving{self->second.worker});
  }
  if (auto* self = stages_.find(peer)) {
    spdlog::info("worker {} is leaving", self->name);
    self->leaving = true;
    tell_senders();
    return send(peer, transport::drain{});
  }
  if (auto* watchers = ask_to_leave(request.worker)) return watchers->push_back(peer);
  std::vector<std::string> names;
  for (const auto& [id, w] : warming_) names.push_back(w.seen.name);
  for (const auto& [id, w] : workers_) names.push_back(w.name);
  for (const auto& [id, n] : stages_.nodes()) names.push_back(n.name);
  std::ranges::sort(names);
  refuse(peer, fmt::format("no worker is called \"{}\"; there are: {}", request.worker,
                           names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

/// Who waits for its end; null where there is none of that name.
std::vector<transport::peer_id>* worker_gate_state::ask_to_leave(const std::string& called) {
  if (const auto stages = stages_.named(called)) {
    send(*stages, transport::drain{called});
    return &stages_.find(*stages)->watchers;
  }
  const auto loads = std::ranges::find_if(warming_, [&](const auto& w) { return w.second.seen.name == called; });
  if (loads != warming_.end()) {
    send(loads->first, transport::drain{called});
    return &loads->second.watchers;
  }
  const auto at = std::ranges::find_if(workers_, [&](const auto& w) { return w.second.name == called; });
  if (at == workers_.end()) return nullptr;
  send(at->first, transport::drain{called}); // it will ask to leave itself
  return &at->second.watchers;
}

void worker_gate_state::on(const drain_worker_now& message) {
  if (ask_to_leave(message.name) == nullptr) spdlog::info("worker {} was to drain, and has left already", message.name);
}

void worker_gate_state::part(transport::peer_id peer, const std::string& why, bool excused) {
  const auto at = workers_.find(peer);
  if (at == workers_.end()) return;
  for (const auto watcher : at->second.watchers) send(watcher, transport::bye{why});
  self_->send(head_, worker_gone{at->second.worker, fmt::format("{}: {}", at->second.name, why), excused});
  if (at->second.waiting) self_->send(head_, machine_gone{at->second.worker, !excused});
  self_->send_exit(at->second.proxy, caf::exit_reason::user_shutdown);
  workers_.erase(at);
}

void worker_gate_state::on(const link_down& message) {
  part(message.peer, message.why.message);
  part_stages(message.peer, message.why.message, true);
  stop_awaiting(message.peer, message.why.message);
}

// -- workers that load their model ------------------------------------------------------------------------------------

void worker_gate_state::await(transport::peer_id peer, const transport::hello& hello, transport::welcome welcome) {
  welcome.worker = {next_worker_++};
  send(peer, welcome);
  spdlog::info("worker {} is there, and loads its model", hello.name);
  const machine_seen seen{welcome.worker, hello.name,    hello.role,
                          hello.stages,   hello.metrics, {core::worker_phase::warming, {}}};
  warming_.emplace(peer, warming{seen});
  self_->send(head_, seen);
}

/// Nobody misses one that had no work.
void worker_gate_state::stop_awaiting(transport::peer_id peer, const std::string& why) {
  const auto gone = warming_.extract(peer);
  if (!gone) return;
  spdlog::info("worker {} is gone before it was ready: {}", gone.mapped().seen.name, why);
  for (const auto watcher : gone.mapped().watchers) send(watcher, transport::bye{why});
  self_->send(head_, machine_gone{gone.mapped().seen.machine});
}

void worker_gate_state::from_warming(transport::peer_id peer, const transport::message& m) {
  const auto& seen = warming_.at(peer).seen;
  if (const auto* end = std::get_if<transport::bye>(&m)) return stop_awaiting(peer, end->reason);
  if (std::holds_alternative<transport::heartbeat>(m)) return self_->send(head_, seen);
  spdlog::warn("worker {} sent a {}, and is not ready", seen.name, transport::name_of(m));
}

// -- machines behind the links of a cut pipeline ----------------------------------------------------------------------

void worker_gate_state::join_stages(transport::peer_id peer, const transport::hello& hello,
                                    const transport::welcome& welcome, std::vector<transport::peer_id> watchers) {
  auto answer = welcome;
  answer.worker = {next_worker_++};
  send(peer, answer);
  spdlog::info("worker {} joined with {} at {}", hello.name, fmt::join(hello.stages, ", "), hello.listen);
  stages_.add(peer, hello, answer.worker);
  stages_.find(peer)->watchers = std::move(watchers);
  self_->send(head_, machine_seen{answer.worker, hello.name, hello.role, hello.stages, hello.metrics, {}});
  tell_senders();
}

void worker_gate_state::part_stages(transport::peer_id peer, const std::string& why, bool lost) {
  const auto gone = stages_.remove(peer);
  if (!gone) return;
  spdlog::info("worker {} is gone: {}", gone->name, why);
  for (const auto watcher : gone->watchers) send(watcher, transport::bye{why});
  self_->send(head_, machine_gone{gone->machine, lost});
  tell_senders();
}

void worker_gate_state::from_stages(transport::peer_id peer, const transport::message& m) {
  auto* n = stages_.find(peer);
  n->silent = 0;
  if (const auto* end = std::get_if<transport::bye>(&m))
    part_stages(peer, end->reason);
  else if (const auto* beat = std::get_if<transport::heartbeat>(&m))
    self_->send(head_, machine_seen{n->machine, n->name, n->role, n->stages, n->metrics,
                                    beat->figures.value_or(core::worker_figures{})});
  else if (!std::holds_alternative<transport::credit>(m))
    spdlog::warn("worker {} sent a {}, which no worker of its role sends", n->name, transport::name_of(m));
}

/// Tells everybody whose frames or tensors leave it where they may go, and lets in who waited for that.
void worker_gate_state::tell_senders() {
  for (auto& [peer, w] : workers_) {
    if (is_whole(w.stages)) continue;
    for (const auto& entry : stages_.for_sender(w.stages)) send(peer, entry);
    if (stages_.serves(w.stages)) let_in(w);
  }
}

void worker_gate_state::let_in(joined& w) {
  w.unserved = 0;
  if (!w.waiting) return;
  self_->send(head_, std::move(*w.waiting));
  w.waiting.reset();
  if (w.credit > 0) self_->send(head_, worker_credit{w.worker, std::exchange(w.credit, 0)});
}

/// Nothing comes of leases whose frames nobody takes, and that must not count against their segments: who has been
/// without machines behind it for a while gives its leases back and waits.
void worker_gate_state::shut_out_unserved() {
  std::vector<transport::peer_id> out;
  for (auto& [peer, w] : workers_) {
    if (w.waiting || is_whole(w.stages) || stages_.serves(w.stages)) continue;
    if (++w.unserved > most_unserved_ticks) out.push_back(peer);
  }
  const std::string why = "nobody takes what it sends";
  for (const auto peer : out) {
    refuse(peer, why, true);
    part(peer, why, true);
  }
}

// -- workers with leases ----------------------------------------------------------------------------------------------

void worker_gate_state::on(const worker_forgotten& message) {
  const auto at = find(message.worker);
  if (at == workers_.end()) return;
  const std::string why = "it was silent for too long";
  refuse(at->first, why, true);
  part(at->first, why);
}

/// It takes no answer either: closing is what tells it that it must join anew.
void worker_gate_state::on(const worker_gone& message) {
  const auto at = find(message.worker);
  if (at == workers_.end()) return;
  const auto peer = at->first;
  part(peer, message.why);
  config_.hub->close(peer, false);
}

void worker_gate_state::on(const leases_ended& message) {
  if (const auto at = find(message.worker); at != workers_.end()) self_->send(at->second.proxy, message);
}

std::map<transport::peer_id, worker_gate_state::joined>::iterator worker_gate_state::find(core::worker_id worker) {
  return std::ranges::find_if(workers_, [&](const auto& w) { return w.second.worker == worker; });
}

void worker_gate_state::heard(const joined& w, const transport::heartbeat& beat) {
  if (!w.waiting) return self_->send(head_, worker_alive{w.worker, beat.figures});
  const auto& known = *w.waiting;
  self_->send(head_, machine_seen{w.worker, known.name, known.role, known.stages, known.metrics,
                                  beat.figures.value_or(core::worker_figures{})});
}

void worker_gate_state::count_late(const transport::message& m) {
  if (const auto* results = std::get_if<transport::outcomes>(&m))
    config_.late_reports.add(static_cast<double>(results->outcomes.size()));
  else if (std::holds_alternative<transport::segment_done>(m) || std::holds_alternative<transport::segment_failed>(m))
    config_.late_reports.add();
}

void worker_gate_state::tick() {
  for (const auto& [peer, w] : workers_) send(peer, transport::heartbeat{});
  for (const auto& [peer, n] : stages_.nodes()) send(peer, transport::heartbeat{});
  for (const auto& [peer, w] : warming_) send(peer, transport::heartbeat{});
  for (const auto peer : stages_.age(ticks_of_lease)) {
    const std::string why = "it was silent for too long";
    refuse(peer, why, true);
    part_stages(peer, why, true);
  }
  shut_out_unserved();
  export_links(config_.hub->counters(), config_.links);
  self_->delayed_send(self_, std::max(config_.lease_timeout / ticks_of_lease, std::chrono::milliseconds{1}),
                      link_tick{});
}

void worker_gate_state::on(const link_message& message) {
  const auto peer = message.peer;
  const auto& m = *message.message;
  if (const auto* hello = std::get_if<transport::hello>(&m)) return greet(peer, *hello);
  if (const auto* request = std::get_if<transport::drain>(&m)) return drain(peer, *request);
  if (stages_.find(peer)) return from_stages(peer, m);
  if (warming_.contains(peer)) return from_warming(peer, m);
  const auto at = workers_.find(peer);
  if (at == workers_.end()) {
    count_late(m);
    return refuse(peer, "it is not known (any more)", true);
  }
  const auto worker = at->second.worker;
  if (const auto* beat = std::get_if<transport::heartbeat>(&m))
    heard(at->second, *beat);
  else if (const auto* results = std::get_if<transport::outcomes>(&m))
    self_->send(head_, frame_outcomes{results->outcomes});
  else if (const auto* more = std::get_if<transport::credit>(&m); more && at->second.waiting)
    at->second.credit += more->segments;
  else if (more)
    self_->send(head_, worker_credit{worker, more->segments});
  else if (const auto* done = std::get_if<transport::segment_done>(&m))
    self_->send(head_, segment_done{worker, done->segment});
  else if (const auto* failed = std::get_if<transport::segment_failed>(&m))
    self_->send(head_, segment_failed{worker, failed->segment, failed->reason});
  else if (const auto* end = std::get_if<transport::bye>(&m))
    part(peer, end->reason, true);
  else
    spdlog::warn("worker {} sent a {}, which no worker sends", at->second.name, transport::name_of(m));
}

worker_gate_actor::behavior_type worker_gate(worker_gate_actor::stateful_pointer<worker_gate_state> self,
                                             const worker_gate_config& config, const gate_outlet& head) {
  self->state.configure(self, config, head);
  self->state.tick();
  return {
      [self](const link_message& message) { self->state.on(message); },
      [self](const link_down& message) { self->state.on(message); },
      [self](const link_tick&) { self->state.tick(); },
      [self](const drain_worker_now& message) { self->state.on(message); },
      [self](const worker_forgotten& message) { self->state.on(message); },
      [self](const leases_ended& message) { self->state.on(message); },
      [self](const worker_gone& message) { self->state.on(message); },
  };
}

} // namespace penstock::actors
