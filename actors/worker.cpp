#include "actors/worker.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock::actors {

std::vector<core::segment_id> worker_state::count(const frame_outcomes& message) {
  std::vector<core::segment_id> complete;
  for (const auto& outcome : message.outcomes) {
    const auto at = leases.find(outcome.id.segment);
    if (at == leases.end()) continue;
    ++at->second.answered;
    if (at->second.answered == at->second.outcomes) {
      complete.push_back(at->first);
      leases.erase(at);
    }
  }
  return complete;
}

bool worker_state::finish_decode(const decode_finished& message) {
  const auto at = leases.find(message.segment);
  if (at == leases.end()) return false;
  at->second.outcomes = message.outcomes;
  if (at->second.answered != message.outcomes) return false;
  leases.erase(at);
  return true;
}

namespace {

/// Takes the lease whose decode actor ended though it had not said that it was done.
std::optional<std::pair<core::segment_id, worker_state::lease>> take_broken(worker_state& state,
                                                                            const caf::actor_addr& source) {
  for (auto at = state.leases.begin(); at != state.leases.end(); ++at) {
    if (at->second.outcomes || at->second.decoder.address() != source) continue;
    auto broken = std::make_optional(*at);
    state.leases.erase(at);
    return broken;
  }
  return std::nullopt;
}

} // namespace

local_worker::behavior_type worker(local_worker::stateful_pointer<worker_state> self, const worker_config& config,
                                   const decoder_factory& make_decoder, const head_inbox& head) {
  self->state.config = config;
  const auto give_up = [self, head](core::segment_id segment, bool live, core::error reason) {
    self->send(head, segment_failed{self->state.config.id, segment, std::move(reason)});
    if (!live) self->send(head, worker_credit{self->state.config.id, 1});
  };
  self->set_down_handler([self, give_up](const caf::down_msg& down) {
    if (const auto broken = take_broken(self->state, down.source)) {
      give_up(broken->first, broken->second.live,
              {core::errc::internal, "decode ended: " + caf::to_string(down.reason)});
    }
  });
  self->send(head, worker_hello{config.id, config.bulk_segments, config.live_streams});
  self->send(head, worker_credit{config.id, config.bulk_segments});
  return {
      [self, make_decoder](const open_segment& lease) {
        const auto mark = std::make_shared<lease_mark>();
        auto marked = lease;
        marked.mark = mark;
        auto decoder = make_decoder(marked, worker_inbox{self});
        self->monitor(decoder);
        self->state.leases[lease.segment] = {decoder, mark, lease.live, 0, {}};
      },
      [self](const segment_packets& message) {
        const auto at = self->state.leases.find(message.segment);
        if (at != self->state.leases.end()) self->send(at->second.decoder, message);
      },
      [self](const close_segment& message) {
        const auto at = self->state.leases.find(message.segment);
        if (at != self->state.leases.end()) self->send(at->second.decoder, message);
      },
      [self, head](const revoke_segment& message) {
        const auto at = self->state.leases.find(message.segment);
        if (at == self->state.leases.end()) return;
        at->second.mark->called_off.store(true, std::memory_order_relaxed);
        self->send_exit(at->second.decoder, caf::exit_reason::user_shutdown);
        if (!at->second.live && !at->second.outcomes) self->send(head, worker_credit{self->state.config.id, 1});
        self->state.leases.erase(at);
      },
      [self, head](const frame_outcomes& message) {
        const auto complete = self->state.count(message);
        self->send(head, message);
        for (const auto& segment : complete) self->send(head, segment_done{self->state.config.id, segment});
      },
      [self, head](const decode_finished& message) {
        const auto at = self->state.leases.find(message.segment);
        if (at == self->state.leases.end()) return;
        if (!at->second.live) self->send(head, worker_credit{self->state.config.id, 1});
        if (self->state.finish_decode(message)) self->send(head, segment_done{self->state.config.id, message.segment});
      },
      [self, give_up](const decode_failed& message) {
        const auto at = self->state.leases.find(message.segment);
        if (at == self->state.leases.end()) return;
        const bool live = at->second.live;
        self->state.leases.erase(at);
        give_up(message.segment, live, message.reason);
      },
  };
}

} // namespace penstock::actors
