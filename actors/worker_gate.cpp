#include "actors/worker_gate.hpp"

#include <algorithm>
#include <caf/exit_reason.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock::actors {

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
    spdlog::info("worker {} came back over a new link", w.name);
    part(other, "it came back over a new link");
    break;
  }
  joined w;
  w.worker = {next_worker_++};
  w.name = hello.name;
  w.proxy = self_->spawn(remote_worker, remote_worker_config{w.worker, peer, config_.hub}, remote_worker_outlet{head_});
  welcome.worker = w.worker;
  send(peer, welcome);
  spdlog::info("worker {} joined as {}: {} segments, {} live streams at a time", w.name, w.worker.value,
               hello.bulk_segments, hello.live_streams);
  self_->send(head_, worker_joined{w.worker, w.proxy, hello.bulk_segments, hello.live_streams, w.name});
  workers_.emplace(peer, std::move(w));
}

void worker_gate_state::drain(transport::peer_id peer, const transport::drain& request) {
  if (const auto self = workers_.find(peer); self != workers_.end()) {
    spdlog::info("worker {} is leaving", self->second.name);
    self_->send(head_, worker_leaving{self->second.worker});
    return send(peer, transport::drain{}); // whatever was sent to it before, it has by now
  }
  const auto at = std::ranges::find_if(workers_, [&](const auto& w) { return w.second.name == request.worker; });
  if (at == workers_.end()) {
    std::vector<std::string> names;
    for (const auto& [id, w] : workers_) names.push_back(w.name);
    return refuse(peer, fmt::format("no worker is called \"{}\"; there are: {}", request.worker,
                                    names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  }
  at->second.watchers.push_back(peer);
  send(at->first, transport::drain{at->second.name}); // it will ask to leave itself
}

void worker_gate_state::part(transport::peer_id peer, const std::string& why) {
  const auto at = workers_.find(peer);
  if (at == workers_.end()) return;
  for (const auto watcher : at->second.watchers) send(watcher, transport::bye{why});
  self_->send(head_, worker_gone{at->second.worker, fmt::format("{}: {}", at->second.name, why)});
  self_->send_exit(at->second.proxy, caf::exit_reason::user_shutdown);
  workers_.erase(at);
}

void worker_gate_state::on(const link_down& message) { part(message.peer, message.why.message); }

void worker_gate_state::on(const worker_forgotten& message) {
  const auto at = std::ranges::find_if(workers_, [&](const auto& w) { return w.second.worker == message.worker; });
  if (at == workers_.end()) return;
  refuse(at->first, "it was silent for too long", true);
  self_->send_exit(at->second.proxy, caf::exit_reason::user_shutdown);
  workers_.erase(at);
}

void worker_gate_state::tick() {
  for (const auto& [peer, w] : workers_) send(peer, transport::heartbeat{});
  self_->delayed_send(self_, config_.lease_timeout / 5, link_tick{});
}

void worker_gate_state::on(const link_message& message) {
  const auto peer = message.peer;
  const auto& m = *message.message;
  if (const auto* hello = std::get_if<transport::hello>(&m)) return greet(peer, *hello);
  if (const auto* request = std::get_if<transport::drain>(&m)) return drain(peer, *request);
  const auto at = workers_.find(peer);
  if (at == workers_.end()) return refuse(peer, "it is not known (any more)", true);
  const auto worker = at->second.worker;
  if (std::holds_alternative<transport::heartbeat>(m))
    self_->send(head_, worker_alive{worker});
  else if (const auto* results = std::get_if<transport::outcomes>(&m))
    self_->send(head_, frame_outcomes{results->outcomes});
  else if (const auto* more = std::get_if<transport::credit>(&m))
    self_->send(head_, worker_credit{worker, more->segments});
  else if (const auto* done = std::get_if<transport::segment_done>(&m))
    self_->send(head_, segment_done{worker, done->segment});
  else if (const auto* failed = std::get_if<transport::segment_failed>(&m))
    self_->send(head_, segment_failed{worker, failed->segment, failed->reason});
  else if (const auto* end = std::get_if<transport::bye>(&m))
    part(peer, end->reason);
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
      [self](const worker_forgotten& message) { self->state.on(message); },
  };
}

} // namespace penstock::actors
