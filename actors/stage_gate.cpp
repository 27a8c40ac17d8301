#include "actors/stage_gate.hpp"

#include <algorithm>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock::actors {

namespace {

/// The id of an item; null for other messages.
const core::result_id* id_of(const transport::message& m) {
  if (const auto* frame = std::get_if<transport::frame_item>(&m)) return &frame->id;
  if (const auto* jpeg = std::get_if<transport::jpeg_item>(&m)) return &jpeg->id;
  if (const auto* tensor = std::get_if<transport::tensor_item>(&m)) return &tensor->id;
  return nullptr;
}

bool is_live(const transport::message& m) {
  if (const auto* frame = std::get_if<transport::frame_item>(&m)) return frame->live;
  if (const auto* jpeg = std::get_if<transport::jpeg_item>(&m)) return jpeg->live;
  if (const auto* tensor = std::get_if<transport::tensor_item>(&m)) return tensor->live;
  return false;
}

} // namespace

void stage_gate_state::configure(stage_gate_actor::pointer self, const stage_gate_config& config) {
  self_ = self;
  config_ = config;
}

void stage_gate_state::on(const attach_intakes& message) { intakes_ = message.intakes; }

void stage_gate_state::send(transport::peer_id peer, const transport::message& message) {
  switch (config_.hub->send(peer, message)) {
  case transport::send_result::queued:
  case transport::send_result::gone: return; // then its end is on the way here
  case transport::send_result::full: break;
  }
  // Outcomes must not be lost one by one: it sends again what has no answer.
  if (const auto at = senders_.find(peer); at != senders_.end()) expel(at, "it does not take its outcomes");
}

// -- from the link ----------------------------------------------------------------------------------------------------

void stage_gate_state::greet(transport::peer_id peer, const transport::hello& hello) {
  part(peer, "it said hello again");
  const auto refuse = [&](std::string reason) {
    send(peer, transport::refused{transport::protocol_version, false, std::move(reason)});
  };
  if (hello.stages != config_.stages)
    return refuse(fmt::format("it runs {}; what is taken here is sent by those that run {}",
                              fmt::join(hello.stages, ", "), fmt::join(config_.stages, ", ")));
  if (hello.config_digest != config_.config_digest)
    return refuse(fmt::format("its topology has other stages (digest {:.12}) than this one ({:.12})",
                              hello.config_digest, config_.config_digest));
  spdlog::info("{} sends here", hello.name);
  senders_.emplace(peer, sender{hello.name});
  if (draining_) return send(peer, transport::drain{});
  grant(peer);
}

void stage_gate_state::on(const link_message& message) {
  const auto peer = message.peer;
  const auto& m = *message.message;
  if (const auto* hello = std::get_if<transport::hello>(&m)) return greet(peer, *hello);
  const auto at = senders_.find(peer);
  if (at == senders_.end())
    return send(peer, transport::refused{transport::protocol_version, true, "it is not known (any more)"});
  if (const auto* id = id_of(m))
    take(at, *id, message);
  else if (const auto* end = std::get_if<transport::bye>(&m))
    part(peer, end->reason);
  else if (!std::holds_alternative<transport::heartbeat>(m))
    expel(at, fmt::format("it sent a {}, which no sender sends", transport::name_of(m)));
}

void stage_gate_state::on(const link_down& message) { part(message.peer, message.why.message); }

void stage_gate_state::take(senders::iterator from, const core::result_id& id, const link_message& message) {
  if (from->second.here >= from->second.granted) return expel(from, "it sent more than it was granted");
  ++from->second.here;
  waiting_.push_back({{message.peer, id}, message.message});
  admit();
}

void stage_gate_state::expel(senders::iterator who, const std::string& why) {
  spdlog::warn("{}: {}", who->second.name, why);
  const auto peer = who->first;
  part(peer, why);
  // If it does not take this either, the answer to what it sends next tells it.
  static_cast<void>(config_.hub->send(peer, transport::refused{transport::protocol_version, true, why}));
  config_.hub->close(peer);
}

/// What it sent and what is not with the stages yet is dropped; outcomes of the rest are void.
void stage_gate_state::part(transport::peer_id peer, const std::string& why) {
  const auto at = senders_.find(peer);
  if (at == senders_.end()) return;
  spdlog::info("{} sends here no more: {}", at->second.name, why);
  senders_.erase(at);
  std::erase_if(waiting_, [peer](const auto& entry) { return entry.first.peer == peer; });
  // Or they would be counted against the same peer's next hello.
  std::erase_if(under_way_, [peer](const auto& entry) { return entry.second.peer == peer; });
  if (draining_ && senders_.empty()) return config_.on_drained();
  std::vector<transport::peer_id> others;
  for (const auto& [other, s] : senders_) others.push_back(other);
  for (const auto other : others) grant(other);
}

// -- to and from the stages -------------------------------------------------------------------------------------------

void stage_gate_state::admit() {
  while (!waiting_.empty() && !claiming_) {
    const auto handle = stage_gate_actor{self_};
    auto leave =
        config_.credits->take({is_live(*waiting_.front().second), core::clock::now()},
                              [handle](credit granted) { caf::anon_send(handle, frame_credit{std::move(granted)}); });
    if (!leave) {
      claiming_ = true;
      return;
    }
    on(frame_credit{std::move(leave)});
  }
}

/// The first item goes on.
void stage_gate_state::on(const frame_credit& message) {
  const bool claimed = std::exchange(claiming_, false);
  if (!waiting_.empty()) {
    auto [from, item] = std::move(waiting_.front());
    waiting_.pop_front();
    const auto number = next_number_++;
    under_way_.emplace(number, from);
    // The item's own name is its sender's: two of them may have the same.
    self_->send(intakes_[number % intakes_.size()], stage_task{{{{}, 0, number}, 0}, item, message.credit});
  }
  if (claimed) admit();
}

void stage_gate_state::on(const frame_outcomes& message) {
  std::map<transport::peer_id, transport::outcomes> answers;
  for (const auto& outcome : message.outcomes) {
    const auto from = under_way_.extract(outcome.id.segment.number);
    if (from.empty()) continue;
    auto& answer = answers[from.mapped().peer].outcomes.emplace_back(outcome);
    answer.id = from.mapped().id;
  }
  for (const auto& [peer, answer] : answers) {
    const auto n = static_cast<std::uint32_t>(answer.outcomes.size());
    const auto to = senders_.find(peer);
    if (to == senders_.end()) continue; // expelled while another had its answers
    to->second.granted -= n;
    to->second.here -= n;
    send(peer, answer);
    grant(peer);
  }
}

/// Fills a sender's credit up to its share of the window.
void stage_gate_state::grant(transport::peer_id peer) {
  const auto to = senders_.find(peer);
  if (to == senders_.end()) return;
  const auto share = std::max(1U, config_.window / static_cast<std::uint32_t>(senders_.size()));
  if (draining_ || to->second.granted >= share) return;
  const auto items = share - to->second.granted;
  to->second.granted = share;
  send(peer, transport::stage_credit{items});
}

void stage_gate_state::drain() {
  if (std::exchange(draining_, true)) return;
  if (senders_.empty()) return config_.on_drained();
  spdlog::info("leaving: {} items to finish", under_way_.size() + waiting_.size());
  std::vector<transport::peer_id> all;
  for (const auto& [peer, s] : senders_) all.push_back(peer);
  for (const auto peer : all) send(peer, transport::drain{});
}

stage_gate_actor::behavior_type stage_gate(stage_gate_actor::stateful_pointer<stage_gate_state> self,
                                           const stage_gate_config& config) {
  self->state.configure(self, config);
  return {
      [self](const attach_intakes& message) { self->state.on(message); },
      [self](const frame_outcomes& message) { self->state.on(message); },
      [self](const frame_credit& message) { self->state.on(message); },
      [self](const link_message& message) { self->state.on(message); },
      [self](const link_down& message) { self->state.on(message); },
      [self](const drain_stage&) { self->state.drain(); },
  };
}

} // namespace penstock::actors
