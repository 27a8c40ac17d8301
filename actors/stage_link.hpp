#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/links.hpp"
#include "actors/stage_book.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// The machines of the role behind this one. Dials all that the head names, gives each the items it has room for, and
/// gives what one of them has not answered to another when that one is gone, leaves, or stands still.
using stage_link_actor =
    caf::typed_actor<caf::reacts_to<stage_item>, caf::reacts_to<transport::directory>, caf::reacts_to<link_message>,
                     caf::reacts_to<link_up>, caf::reacts_to<link_down>, caf::reacts_to<link_tick>>;

struct stage_link_config {
  std::shared_ptr<transport::hub> hub;
  transport::hello hello;
  std::chrono::milliseconds patience{30'000}; ///< with a machine that answers none of what it has
  metrics::stage_series metrics;              ///< of the stage behind the link: items that wait, credit
};

class stage_link_state {
 public:
  static inline const char* name = "stage_link";

  void configure(stage_link_actor::pointer self, const stage_link_config& config, outcome_inbox worker);

  void on(const stage_item& item);
  void on(const transport::directory& message);
  void on(const link_message& message);
  void on(const link_up& message);
  void on(const link_down& message);
  void tick();

 private:
  struct node {
    std::string address;
    bool wanted = true; ///< the head names it
    bool leaving = false;
    unsigned still = 0; ///< ticks without an answer to what it has
  };
  using nodes = std::map<transport::peer_id, node>;

  void dial(const std::string& address);
  void pump();
  void answered(nodes::iterator at, const transport::outcomes& message);
  void retire(nodes::iterator at);
  void part_if_done(nodes::iterator at);
  void lose(transport::peer_id peer);
  void give_up(nodes::iterator at, const std::string& why);

  stage_link_actor::pointer self_ = nullptr;
  stage_link_config config_;
  outcome_inbox worker_;
  std::map<std::string, std::vector<std::string>> addresses_; ///< by role
  nodes nodes_;
  stage_book book_;
};

stage_link_actor::behavior_type stage_link(stage_link_actor::stateful_pointer<stage_link_state> self,
                                           const stage_link_config& config, const outcome_inbox& worker);

} // namespace penstock::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(penstock::transport::directory)
