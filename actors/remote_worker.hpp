#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <memory>

#include "actors/links.hpp"
#include "actors/worker.hpp"

namespace penstock::actors {

/// Where a remote worker reports that it does not take what it is sent. That its link is down is seen there anyway,
/// behind what came over it.
using remote_worker_outlet = caf::typed_actor<caf::reacts_to<worker_gone>>;

/// A worker with a last word: that it has all of its leases.
using remote_worker_actor = worker_actor::extend<caf::reacts_to<leases_ended>>;

struct remote_worker_config {
  core::worker_id worker;
  transport::peer_id peer;
  std::shared_ptr<transport::hub> hub;
};

struct remote_worker_state {
  static inline const char* name = "remote_worker";

  remote_worker_config config;
  bool gone = false;
};

/// A worker on another machine, with the handle of a local one: what it is sent goes over the link.
remote_worker_actor::behavior_type remote_worker(remote_worker_actor::stateful_pointer<remote_worker_state> self,
                                                 const remote_worker_config& config, const remote_worker_outlet& gate);

} // namespace penstock::actors
