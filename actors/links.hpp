#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/messages.hpp"
#include "core/worker_figures.hpp"
#include "transport/hub.hpp"

/// What the hub's thread tells actors, and what comes of links inside the head.
namespace penstock::actors {

struct link_message {
  transport::peer_id peer;
  std::shared_ptr<const transport::message> message;
};

/// A dialled peer is connected.
struct link_up {
  transport::peer_id peer;
};

struct link_down {
  transport::peer_id peer;
  core::error why;
};

/// Send heartbeats, look at deadlines.
struct link_tick {};

// -- gate → head ------------------------------------------------------------------------------------------------------

/// The worker is alive, and has done so much.
struct worker_alive {
  core::worker_id worker;
  std::optional<core::worker_figures> figures{};
};

/// A machine that takes no leases, or not yet, is alive: it loads its model, waits for others that take what it sends,
/// or is behind a link.
struct machine_seen {
  core::worker_id machine;
  std::string name;
  std::string role;
  std::vector<std::string> stages;
  std::string metrics; ///< address of its metrics; empty: none
  core::worker_figures figures;
};

struct machine_gone {
  core::worker_id machine;
  bool lost = false; ///< it did not say that it would go
};

/// It takes nothing new and finishes what it has.
struct worker_leaving {
  core::worker_id worker;
};

/// It is gone: its link broke, or it said bye.
struct worker_gone {
  core::worker_id worker;
  std::string why;
  bool excused = false; ///< it gave its leases back, which says nothing about them
};

/// The process that was this worker, and was given up, is alive: what it held did not kill it.
struct worker_returned {
  core::worker_id worker;
};

// -- head → gate ------------------------------------------------------------------------------------------------------

/// Somebody wants the worker of that name to leave.
struct drain_worker_now {
  std::string name;
};

/// The head counts the worker as dead: it must join anew.
struct worker_forgotten {
  core::worker_id worker;
};

/// The worker gets no new lease: all that it ever will have are on their way to it.
struct leases_ended {
  core::worker_id worker;
};

} // namespace penstock::actors

PENSTOCK_LOCAL_MESSAGE(link_message)
PENSTOCK_LOCAL_MESSAGE(link_up)
PENSTOCK_LOCAL_MESSAGE(link_down)
PENSTOCK_LOCAL_MESSAGE(link_tick)
PENSTOCK_LOCAL_MESSAGE(worker_alive)
PENSTOCK_LOCAL_MESSAGE(machine_seen)
PENSTOCK_LOCAL_MESSAGE(machine_gone)
PENSTOCK_LOCAL_MESSAGE(worker_leaving)
PENSTOCK_LOCAL_MESSAGE(worker_gone)
PENSTOCK_LOCAL_MESSAGE(worker_returned)
PENSTOCK_LOCAL_MESSAGE(drain_worker_now)
PENSTOCK_LOCAL_MESSAGE(worker_forgotten)
PENSTOCK_LOCAL_MESSAGE(leases_ended)
