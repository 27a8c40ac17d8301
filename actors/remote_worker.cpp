#include "actors/remote_worker.hpp"

#include <utility>

namespace penstock::actors {

remote_worker_actor::behavior_type remote_worker(remote_worker_actor::stateful_pointer<remote_worker_state> self,
                                                 const remote_worker_config& config, const remote_worker_outlet& gate) {
  self->state.config = config;
  const auto send = [self, gate](const transport::message& message) {
    auto& state = self->state;
    if (state.gone) return;
    const auto result = state.config.hub->send(state.config.peer, message);
    if (result == transport::send_result::queued) return;
    state.gone = true;
    if (result == transport::send_result::full)
      self->send(gate, worker_gone{state.config.worker, "it does not take what it is sent"});
  };
  return {
      [send](const open_segment& m) {
        send(transport::open_segment{m.segment, m.codec, m.live});
      },
      [send](const segment_packets& m) {
        transport::segment_packets out{m.segment, {}};
        out.packets.reserve(m.packets.size());
        for (const auto& p : m.packets) out.packets.push_back({p.ordinal, p.wanted, p.packet});
        send(out);
      },
      [send](const close_segment& m) { send(transport::close_segment{m.segment}); },
      [send](const revoke_segment& m) { send(transport::revoke_segment{m.segment}); },
      [send](const leases_ended&) { send(transport::drain{}); },
  };
}

} // namespace penstock::actors
