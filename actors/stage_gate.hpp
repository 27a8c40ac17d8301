#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/links.hpp"
#include "actors/stage_intake.hpp"

namespace penstock::actors {

/// Where items go.
struct attach_intakes {
  std::vector<stage_intake_actor> intakes;
};

/// Take nothing new; tell when everything is answered.
struct drain_stage {};

/// The door of the second role of a cut: workers of the first one dial in, get credit, send items and get outcomes.
/// Keeps nothing that matters: what was not answered when a link ends is the sender's to send elsewhere.
using stage_gate_actor =
    caf::typed_actor<caf::reacts_to<attach_intakes>, caf::reacts_to<frame_outcomes>, caf::reacts_to<frame_credit>,
                     caf::reacts_to<link_message>, caf::reacts_to<link_down>, caf::reacts_to<drain_stage>>;

struct stage_gate_config {
  std::shared_ptr<transport::hub> hub;
  std::vector<std::string> stages;      ///< of those who may send here
  std::string config_digest;            ///< what their topology must agree with
  std::shared_ptr<credit_pool> credits; ///< of the stages behind
  std::uint32_t window = 1;             ///< items of all senders together, here or on their way
  std::function<void()> on_drained;     ///< after `drain_stage`: nobody is owed anything
};

class stage_gate_state {
 public:
  static inline const char* name = "stage_gate";

  void configure(stage_gate_actor::pointer self, const stage_gate_config& config);

  void on(const attach_intakes& message);
  void on(const frame_outcomes& message);
  void on(const frame_credit& message);
  void on(const link_message& message);
  void on(const link_down& message);
  void drain();

 private:
  struct sender {
    std::string name;
    std::uint32_t granted = 0; ///< items that it may send, or has sent without an answer
    std::uint32_t here = 0;    ///< of those the ones that came
  };
  struct origin {
    transport::peer_id peer;
    core::result_id id;
  };
  using senders = std::map<transport::peer_id, sender>;

  void greet(transport::peer_id peer, const transport::hello& hello);
  void take(senders::iterator from, const core::result_id& id, const link_message& message);
  void admit();
  void grant(transport::peer_id peer);
  void part(transport::peer_id peer, const std::string& why);
  void expel(senders::iterator who, const std::string& why);
  void send(transport::peer_id peer, const transport::message& message);

  stage_gate_actor::pointer self_ = nullptr;
  stage_gate_config config_;
  std::vector<stage_intake_actor> intakes_;
  senders senders_;
  std::deque<std::pair<origin, std::shared_ptr<const transport::message>>> waiting_;
  std::map<std::uint64_t, origin> under_way_; ///< by the number that the item has here
  std::uint64_t next_number_ = 0;
  bool claiming_ = false; ///< a claim stands in the pool
  bool draining_ = false;
};

stage_gate_actor::behavior_type stage_gate(stage_gate_actor::stateful_pointer<stage_gate_state> self,
                                           const stage_gate_config& config);

} // namespace penstock::actors

PENSTOCK_LOCAL_MESSAGE(attach_intakes)
PENSTOCK_LOCAL_MESSAGE(drain_stage)
