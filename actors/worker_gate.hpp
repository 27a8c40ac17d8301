#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/links.hpp"
#include "actors/remote_worker.hpp"
#include "actors/stage_directory.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// What a head hears of its remote workers.
struct worker_joined {
  core::worker_id worker;
  worker_actor handle;
  std::uint32_t bulk_segments = 1;
  std::uint32_t live_streams = 0;
  std::string name;
  std::vector<std::string> stages{};
  std::string role{};
  std::string metrics{}; ///< address of its metrics; empty: none
};

using gate_outlet =
    caf::typed_actor<caf::reacts_to<machine_seen>, caf::reacts_to<machine_gone>, caf::reacts_to<worker_joined>,
                     caf::reacts_to<worker_alive>, caf::reacts_to<worker_leaving>, caf::reacts_to<worker_gone>,
                     caf::reacts_to<worker_returned>, caf::reacts_to<worker_credit>, caf::reacts_to<frame_outcomes>,
                     caf::reacts_to<segment_done>, caf::reacts_to<segment_failed>>;

/// The door of a head: who dials in says hello here, is checked, and becomes a worker with an id and a proxy. What
/// workers send is passed to the head in order.
using worker_gate_actor =
    caf::typed_actor<caf::reacts_to<link_message>, caf::reacts_to<link_down>, caf::reacts_to<link_tick>,
                     caf::reacts_to<drain_worker_now>, caf::reacts_to<worker_forgotten>, caf::reacts_to<leases_ended>,
                     caf::reacts_to<worker_gone>>;

struct worker_gate_config {
  std::shared_ptr<transport::hub> hub;
  std::uint32_t epoch = 0;
  std::chrono::milliseconds lease_timeout{3000};
  std::vector<std::string> roles;  ///< whose machines may join
  std::string config_digest;       ///< what a worker's topology must agree with
  std::string topology;            ///< for workers that ask for it
  std::uint32_t first_worker = 1;  ///< ids of remote workers begin here
  metrics::link_series links{};    ///< of the hub
  metrics::counter late_reports{}; ///< results and ends by workers that were given up
};

class worker_gate_state {
 public:
  static inline const char* name = "worker_gate";

  void configure(worker_gate_actor::pointer self, const worker_gate_config& config, gate_outlet head);

  void on(const link_message& message);
  void on(const link_down& message);
  void on(const drain_worker_now& message);
  void on(const worker_forgotten& message);
  void on(const leases_ended& message);
  void on(const worker_gone& message);
  void tick();

 private:
  struct joined {
    core::worker_id worker;
    std::string name;
    remote_worker_actor proxy;
    std::vector<transport::peer_id> watchers; ///< who asked for it to be drained
    // Of a worker whose frames or tensors leave it:
    std::vector<std::string> stages;
    std::optional<worker_joined> waiting; ///< the head does not know of it, since nobody takes what it would send
    std::uint32_t credit = 0;             ///< that it gave meanwhile
    unsigned unserved = 0;                ///< ticks since nobody does
  };

  /// Who is there and loads its model.
  struct warming {
    machine_seen seen;
    std::vector<transport::peer_id> watchers{};
  };

  void greet(transport::peer_id peer, const transport::hello& hello);
  void refuse(transport::peer_id peer, std::string reason, bool rejoin = false);
  void drain(transport::peer_id peer, const transport::drain& request);
  std::vector<transport::peer_id>* ask_to_leave(const std::string& name);
  void part(transport::peer_id peer, const std::string& why, bool excused = false);
  void await(transport::peer_id peer, const transport::hello& hello, transport::welcome welcome);
  void stop_awaiting(transport::peer_id peer, const std::string& why);
  void from_warming(transport::peer_id peer, const transport::message& m);
  void join_stages(transport::peer_id peer, const transport::hello& hello, const transport::welcome& welcome,
                   std::vector<transport::peer_id> watchers);
  void part_stages(transport::peer_id peer, const std::string& why, bool lost = false);
  void tell_senders();
  void let_in(joined& w);
  void shut_out_unserved();
  void heard(const joined& w, const transport::heartbeat& beat);
  void count_late(const transport::message& m);
  void from_stages(transport::peer_id peer, const transport::message& m);
  [[nodiscard]] std::map<transport::peer_id, joined>::iterator find(core::worker_id worker);
  void send(transport::peer_id peer, const transport::message& message);

  worker_gate_actor::pointer self_ = nullptr;
  worker_gate_config config_;
  gate_outlet head_;
  std::map<transport::peer_id, joined> workers_;
  std::map<transport::peer_id, warming> warming_;
  stage_directory stages_;
  std::uint32_t next_worker_ = 1;
};

worker_gate_actor::behavior_type worker_gate(worker_gate_actor::stateful_pointer<worker_gate_state> self,
                                             const worker_gate_config& config, const gate_outlet& head);

} // namespace penstock::actors

PENSTOCK_LOCAL_MESSAGE(worker_joined)
