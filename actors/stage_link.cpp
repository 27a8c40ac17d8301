#include "actors/stage_link.hpp"

#include <algorithm>
#include <set>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/link_events.hpp"

namespace penstock::actors {

namespace {

constexpr unsigned ticks_of_patience = 10;

} // namespace

void stage_link_state::configure(stage_link_actor::pointer self, const stage_link_config& config,
                                 outcome_inbox worker) {
  self_ = self;
  config_ = config;
  worker_ = std::move(worker);
}

void stage_link_state::on(const stage_item& item) {
  book_.add(item);
  pump();
}

void stage_link_state::on(const transport::directory& message) {
  addresses_[message.role] = message.addresses;
  std::set<std::string> wanted;
  for (const auto& [role, addresses] : addresses_) wanted.insert(addresses.begin(), addresses.end());
  for (auto at = nodes_.begin(); at != nodes_.end();) {
    const auto here = at++;
    here->second.wanted = wanted.erase(here->second.address) > 0;
    retire(here);
  }
  for (const auto& address : wanted) dial(address);
  pump();
}

/// An address is followed by its machine's public key, where links are encrypted.
void stage_link_state::dial(const std::string& address) {
  const auto space = address.find(' ');
  const auto key = space == std::string::npos ? std::string{} : address.substr(space + 1);
  const auto peer = config_.hub->dial(address.substr(0, space), dialler_events_to(stage_link_actor{self_}), key);
  if (!peer) return spdlog::error("cannot dial {}: {}", address, peer.error().message);
  nodes_[*peer].address = address;
}

void stage_link_state::pump() {
  while (const auto next = book_.next()) {
    const auto result = config_.hub->send(next->to, *next->message);
    if (result == transport::send_result::queued) continue;
    const auto at = nodes_.find(next->to);
    book_.take_back(*next);
    if (result == transport::send_result::full && at != nodes_.end())
      give_up(at, "it does not take what it granted");
    else
      lose(next->to); // its end is on the way here
  }
  config_.metrics.queue.set(static_cast<double>(book_.waiting()));
  config_.metrics.credit.set(static_cast<double>(book_.credit()));
}

/// What it had goes elsewhere; what killed it and others before is answered here.
void stage_link_state::lose(transport::peer_id peer) {
  frame_outcomes out;
  for (const auto& id : book_.lose(peer)) {
    spdlog::error("frame {} of segment {}/{} is given up: machines are lost with it, at last with it alone", id.ordinal,
                  id.segment.stream.value, id.segment.number);
    out.outcomes.push_back(core::dropped_outcome(id, core::drop_reason::poison));
  }
  if (!out.outcomes.empty()) self_->send(worker_, std::move(out));
}

// -- from the link ----------------------------------------------------------------------------------------------------

void stage_link_state::on(const link_up& message) {
  if (!nodes_.contains(message.peer)) return;
  // Whether it arrives or the link breaks is heard of later.
  static_cast<void>(config_.hub->send(message.peer, config_.hello));
}

void stage_link_state::on(const link_down& message) {
  const auto at = nodes_.find(message.peer);
  if (at == nodes_.end()) return;
  if (const auto items = book_.under_way(message.peer); items > 0)
    spdlog::warn("{} is away with {} items, which go elsewhere: {}", at->second.address, items, message.why.message);
  lose(message.peer);
  at->second.leaving = false;
  at->second.still = 0;
  if (!at->second.wanted) part_if_done(at);
  pump();
}

void stage_link_state::on(const link_message& message) {
  const auto at = nodes_.find(message.peer);
  if (at == nodes_.end()) return;
  const auto& m = *message.message;
  if (const auto* results = std::get_if<transport::outcomes>(&m)) {
    answered(at, *results);
  } else if (const auto* more = std::get_if<transport::stage_credit>(&m)) {
    book_.grant(message.peer, more->items);
    pump();
  } else if (std::holds_alternative<transport::drain>(m)) {
    at->second.leaving = true;
    retire(at);
  } else if (const auto* no = std::get_if<transport::refused>(&m)) {
    if (no->rejoin) {
      book_.release(message.peer);
      on(link_up{message.peer});
    } else {
      spdlog::error("{} refuses this worker: {}", at->second.address, no->reason);
      at->second.leaving = true;
      book_.release(message.peer);
      part_if_done(at);
    }
    pump();
  } else if (!std::holds_alternative<transport::heartbeat>(m)) {
    spdlog::warn("{} sent a {}, which no such machine sends", at->second.address, transport::name_of(m));
  }
}

void stage_link_state::answered(nodes::iterator at, const transport::outcomes& message) {
  frame_outcomes out;
  out.outcomes.reserve(message.outcomes.size());
  for (const auto& outcome : message.outcomes)
    if (book_.answer(at->first, outcome.id)) out.outcomes.push_back(outcome);
  at->second.still = 0;
  config_.metrics.items.add(static_cast<double>(out.outcomes.size()));
  if (!out.outcomes.empty()) self_->send(worker_, std::move(out));
  part_if_done(at);
}

// -- leaving, standing still ------------------------------------------------------------------------------------------

void stage_link_state::retire(nodes::iterator at) {
  book_.retire(at->first, at->second.leaving || !at->second.wanted);
  part_if_done(at);
}

/// Says bye to a machine that has nothing more and shall get nothing more.
void stage_link_state::part_if_done(nodes::iterator at) {
  if ((at->second.wanted && !at->second.leaving) || book_.under_way(at->first) > 0) return;
  static_cast<void>(config_.hub->send(at->first, transport::bye{"nothing is left for it"})); // if it is still there
  config_.hub->close(at->first);
  book_.release(at->first);
  nodes_.erase(at);
}

/// Begins anew with a machine: another link, and its items go to whoever has room.
void stage_link_state::give_up(nodes::iterator at, const std::string& why) {
  spdlog::warn("{}: {}; its {} items go elsewhere", at->second.address, why, book_.under_way(at->first));
  const auto peer = at->first;
  const auto was = std::move(at->second);
  nodes_.erase(at);
  lose(peer);
  config_.hub->close(peer, false);
  if (was.wanted && !was.leaving) dial(was.address);
}

void stage_link_state::tick() {
  for (auto at = nodes_.begin(); at != nodes_.end();) {
    const auto here = at++;
    if (book_.under_way(here->first) == 0)
      here->second.still = 0;
    else if (++here->second.still > ticks_of_patience)
      give_up(here, "no answer for too long");
    else // one that has forgotten this sender says so
      static_cast<void>(config_.hub->send(here->first, transport::heartbeat{}));
  }
  pump();
  self_->delayed_send(self_, std::max(config_.patience / ticks_of_patience, std::chrono::milliseconds{1}), link_tick{});
}

stage_link_actor::behavior_type stage_link(stage_link_actor::stateful_pointer<stage_link_state> self,
                                           const stage_link_config& config, const outcome_inbox& worker) {
  self->state.configure(self, config, worker);
  self->state.tick();
  return {
      [self](const stage_item& message) { self->state.on(message); },
      [self](const transport::directory& message) { self->state.on(message); },
      [self](const link_message& message) { self->state.on(message); },
      [self](const link_up& message) { self->state.on(message); },
      [self](const link_down& message) { self->state.on(message); },
      [self](const link_tick&) { self->state.tick(); },
  };
}

} // namespace penstock::actors
