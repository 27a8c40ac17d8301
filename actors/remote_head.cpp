#include "actors/remote_head.hpp"

#include <caf/exit_reason.hpp>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/link_metrics.hpp"

namespace penstock::actors {

core::segment_id lease_names::open(core::segment_id segment) {
  const auto number = ++next_;
  leases_[number] = segment;
  numbers_[segment] = number;
  auto local = segment;
  local.epoch = number;
  return local;
}

std::optional<core::segment_id> lease_names::local(core::segment_id segment) const {
  const auto at = numbers_.find(segment);
  if (at == numbers_.end()) return std::nullopt;
  segment.epoch = at->second;
  return segment;
}

std::optional<core::segment_id> lease_names::global(core::segment_id local) const {
  const auto at = leases_.find(local.epoch);
  return at == leases_.end() ? std::nullopt : std::optional{at->second};
}

void lease_names::close(core::segment_id local) {
  const auto at = leases_.find(local.epoch);
  if (at == leases_.end()) return;
  const auto number = numbers_.find(at->second);
  if (number != numbers_.end() && number->second == local.epoch) numbers_.erase(number);
  leases_.erase(at);
}

std::vector<core::segment_id> lease_names::all_local() const {
  std::vector<core::segment_id> all;
  for (const auto& [number, segment] : leases_) all.push_back({segment.stream, number, segment.number});
  return all;
}

void remote_head_state::configure(remote_head_actor::pointer self, const remote_head_config& config) {
  self_ = self;
  config_ = config;
  if (config_.on_phase) config_.on_phase(shown_);
  tick();
}

core::worker_phase remote_head_state::phase() const noexcept {
  if (leaving_) return core::worker_phase::draining;
  return is_ready() ? core::worker_phase::ready : core::worker_phase::warming;
}

void remote_head_state::show_phase() {
  const auto now = phase();
  if (std::exchange(shown_, now) != now && config_.on_phase) config_.on_phase(now);
}

void remote_head_state::send(const transport::message& message) {
  if (!peer_) return;
  switch (config_.hub->send(*peer_, message)) {
  case transport::send_result::queued:
  case transport::send_result::gone: return; // then its end is on the way here
  case transport::send_result::full: break;
  }
  // Results must not be lost one by one: it joins anew as soon as there is room, and what was leased is leased again.
  spdlog::error("the head does not take results; joining anew");
  joined_ = announced_ = false;
  must_join_ = true;
  reset();
}

// -- from the worker --------------------------------------------------------------------------------------------------

void remote_head_state::on(const attach_worker& message) {
  attached_ = true;
  worker_ = message.worker;
  stages_ = message;
  config_.hello.listen = message.listen;
  drained_ = !message.on_leaving;
  if (leaving_ && message.on_leaving) message.on_leaving();
  if (is_ready() && peer_ && !joined_) join();
  show_phase();
}

void remote_head_state::on(const worker_hello& message) {
  config_.hello.bulk_segments = message.bulk_segments;
  config_.hello.live_streams = message.live_streams;
  const bool was_ready = is_ready();
  introduced_ = true;
  if (!was_ready && is_ready() && peer_ && !joined_) join();
  show_phase();
}

void remote_head_state::on(const worker_credit& message) {
  free_ += message.segments;
  if (joined_ && !leaving_) send(transport::credit{message.segments});
}

void remote_head_state::on(const frame_outcomes& message) {
  transport::outcomes out;
  out.outcomes.reserve(message.outcomes.size());
  for (const auto& outcome : message.outcomes) {
    const auto segment = leases_.global(outcome.id.segment);
    if (!segment) continue;
    out.outcomes.push_back(outcome);
    out.outcomes.back().id.segment = *segment;
  }
  if (!out.outcomes.empty()) send(out);
}

void remote_head_state::on(const segment_done& message) {
  const auto segment = leases_.global(message.segment);
  if (!segment) return;
  leases_.close(message.segment);
  send(transport::segment_done{*segment});
  leave_if_done();
}

void remote_head_state::on(const segment_failed& message) {
  const auto segment = leases_.global(message.segment);
  if (!segment) return;
  leases_.close(message.segment);
  send(transport::segment_failed{*segment, message.reason});
  leave_if_done();
}

// -- from the link ----------------------------------------------------------------------------------------------------

void remote_head_state::on(const link_up& message) {
  peer_ = message.peer;
  if (is_ready())
    join();
  else if (!attached_)
    announce();
}

void remote_head_state::on(const link_down& message) {
  peer_.reset();
  must_join_ = announced_ = false;
  stale_welcomes_ = 0;
  const bool was_joined = std::exchange(joined_, false);
  reset();
  if (message.why.code == core::errc::unsupported) return config_.on_refused(message.why.message); // another version
  if (was_joined || message.why.code != core::errc::unavailable)
    spdlog::warn("the head is away: {}", message.why.message);
  leave_if_done();
}

void remote_head_state::join() {
  if (std::exchange(announced_, false) && !acknowledged_) ++stale_welcomes_;
  if (!leaving_ && peer_) must_join_ = config_.hub->send(*peer_, config_.hello) == transport::send_result::full;
}

/// The model still loads.
void remote_head_state::announce() {
  if (leaving_ || !peer_) return;
  auto hello = config_.hello;
  hello.warming = true;
  acknowledged_ = false;
  const auto sent = config_.hub->send(*peer_, hello);
  announced_ = sent == transport::send_result::queued;
  must_join_ = sent == transport::send_result::full;
}

/// Forgets every lease: the head will lease them again.
void remote_head_state::reset() {
  for (const auto& local : leases_.all_local()) {
    self_->send(worker_, revoke_segment{local});
    leases_.close(local);
  }
}

void remote_head_state::welcomed(const transport::welcome& message) {
  lease_timeout_ = std::max(message.lease_timeout, std::chrono::milliseconds{10});
  if (stale_welcomes_ > 0) {
    --stale_welcomes_;
    return;
  }
  if (announced_) {
    acknowledged_ = true;
    return spdlog::info("the head knows that this worker loads its model");
  }
  joined_ = true;
  config_.hello.former = message.worker;
  config_.hello.former_epoch = message.epoch;
  spdlog::info("joined as worker {}, epoch {}", message.worker.value, message.epoch);
  if (leaving_)
    send(transport::drain{});
  else if (free_ > 0)
    send(transport::credit{free_});
}

void remote_head_state::refused(const transport::refused& message) {
  if (left_) return;
  if (!message.rejoin) return config_.on_refused(message.reason);
  if (joined_) spdlog::warn("the head has given this worker up: {}", message.reason);
  const bool again = joined_;
  joined_ = false;
  reset();
  if (again)
    join();
  else if (announced_)
    announce();
}

void remote_head_state::on(const link_message& message) {
  const auto& m = *message.message;
  if (const auto* open = std::get_if<transport::open_segment>(&m)) {
    if (!joined_ || !worker_) return;                    // a lease of before
    if (const auto old = leases_.local(open->segment)) { // a lease of it was lost on the way
      self_->send(worker_, revoke_segment{*old});
      leases_.close(*old);
    }
    if (!open->live && free_ > 0) --free_;
    self_->send(worker_, open_segment{leases_.open(open->segment), open->codec, open->live});
  } else if (const auto* packets = std::get_if<transport::segment_packets>(&m)) {
    const auto local = leases_.local(packets->segment);
    if (!local) return;
    segment_packets out{*local, {}};
    out.packets.reserve(packets->packets.size());
    for (const auto& p : packets->packets) out.packets.push_back({p.ordinal, p.wanted, p.packet});
    self_->send(worker_, std::move(out));
  } else if (const auto* close = std::get_if<transport::close_segment>(&m)) {
    if (const auto local = leases_.local(close->segment)) self_->send(worker_, close_segment{*local});
  } else if (const auto* revoke = std::get_if<transport::revoke_segment>(&m)) {
    const auto local = leases_.local(revoke->segment);
    if (!local) return;
    self_->send(worker_, revoke_segment{*local});
    leases_.close(*local);
    leave_if_done();
  } else if (const auto* welcome = std::get_if<transport::welcome>(&m)) {
    welcomed(*welcome);
  } else if (const auto* no = std::get_if<transport::refused>(&m)) {
    refused(*no);
  } else if (const auto* drain = std::get_if<transport::drain>(&m)) {
    if (!drain->worker.empty()) return on(leave_fleet{std::chrono::hours{24}}); // an operator asks for it
    may_leave_ = true;
    leave_if_done();
  } else if (const auto* entry = std::get_if<transport::directory>(&m); entry && stages_.on_directory) {
    stages_.on_directory(*entry);
  } else if (!std::holds_alternative<transport::heartbeat>(m)) {
    spdlog::warn("the head sent a {}, which no head sends", transport::name_of(m));
  }
}

// -- leaving ----------------------------------------------------------------------------------------------------------

void remote_head_state::on(const leave_fleet& message) {
  const auto deadline = core::clock::now() + message.grace;
  deadline_ = deadline_ ? std::min(*deadline_, deadline) : deadline;
  if (!std::exchange(leaving_, true)) {
    spdlog::info("leaving: {} segments to finish", leases_.size());
    if (joined_) send(transport::drain{});
    if (stages_.on_leaving) stages_.on_leaving();
    show_phase();
  }
  leave_if_done();
}

void remote_head_state::on(const stage_drained&) {
  drained_ = true;
  leave_if_done();
}

void remote_head_state::leave_if_done() {
  if (!leaving_ || left_) return;
  if (!joined_ && drained_) return leave("not joined");
  if (may_leave_ && drained_ && leases_.empty()) return leave("drained");
  if (core::clock::now() >= *deadline_) leave("its time to finish was over");
}

void remote_head_state::leave(const std::string& reason) {
  left_ = true;
  if (joined_ || announced_) send(transport::bye{reason});
  if (peer_) config_.hub->close(*peer_);
  joined_ = announced_ = false;
  reset();
  config_.on_left();
}

void remote_head_state::tick() {
  if (joined_ || announced_)
    send(transport::heartbeat{
        core::worker_figures{phase(), stages_.figures ? stages_.figures() : std::vector<core::stage_figures>{}}});
  if (must_join_) is_ready() ? join() : announce();
  export_links(config_.hub->counters(), config_.links);
  leave_if_done();
  if (!left_) self_->delayed_send(self_, lease_timeout_ / 5, link_tick{});
}

remote_head_actor::behavior_type remote_head(remote_head_actor::stateful_pointer<remote_head_state> self,
                                             const remote_head_config& config) {
  self->state.configure(self, config);
  const auto forward = [self](const auto& message) { self->state.on(message); };
  return {
      [forward](const worker_hello& message) { forward(message); },
      [forward](const worker_credit& message) { forward(message); },
      [forward](const frame_outcomes& message) { forward(message); },
      [forward](const segment_done& message) { forward(message); },
      [forward](const segment_failed& message) { forward(message); },
      [forward](const link_message& message) { forward(message); },
      [forward](const link_up& message) { forward(message); },
      [forward](const link_down& message) { forward(message); },
      [self](const link_tick&) { self->state.tick(); },
      [forward](const attach_worker& message) { forward(message); },
      [forward](const stage_drained& message) { forward(message); },
      [forward](const leave_fleet& message) { forward(message); },
  };
}

} // namespace penstock::actors
