#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

namespace penstock::actors {

/// An actor system that does nothing by itself: messages are handled and time passes only as the test says.
class deterministic {
 public:
  deterministic() : system{configure(config_)}, scheduler{dynamic_cast<test_coordinator&>(system.scheduler())} {}

  /// Handles messages until none is left.
  void run() { scheduler.run(); }

  /// Lets virtual time pass, with all that it brings.
  void pass(caf::timespan time) {
    scheduler.advance_time(time);
    run();
  }

 private:
  using test_coordinator = caf::scheduler::test_coordinator;

  static caf::actor_system_config& configure(caf::actor_system_config& config) {
    config.set("scheduler.policy", caf::atom("testing"));
    return config;
  }

  caf::actor_system_config config_;

 public:
  caf::actor_system system;
  test_coordinator& scheduler;
};

} // namespace penstock::actors
