#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/result.hpp"
#include "dispatch/limits.hpp"
#include "scaling/controller.hpp"
#include "scaling/policy.hpp"
#include "scaling/simulator/fleet_model.hpp"
#include "scaling/simulator/latencies.hpp"
#include "scaling/simulator/load.hpp"
#include "scaling/simulator/service_model.hpp"

namespace penstock::scaling::simulator {

/// What is simulated. Times of the real program have its defaults.
struct scenario {
  load demand;
  service_model service;
  fleet_model machines;
  controller_options controlling; ///< with the bounds of the fleet
  double objective_s = 1;
  double deadline_s = 10;     ///< of a request; then it is given up
  double interval_s = 15;     ///< between two decisions
  double window_s = 30;       ///< over which signals are averaged
  int streams_per_worker = 0; ///< cameras; 0: those whose frames keep a worker 80 % busy
  dispatch::dispatcher_config dispatcher;
  std::chrono::milliseconds tick{250}; ///< of the core
  std::uint64_t seed = 1;

  [[nodiscard]] core::expected<void> validate() const;
  /// Places for cameras of one worker; 0 where there are none.
  [[nodiscard]] int places() const noexcept;
};

/// The interval that ends at a moment.
struct moment {
  double at_s = 0;
  double arrivals_per_s = 0;
  int wanted = 0;       ///< workers, as decided now
  int ready = 0;        ///< that work now
  int paid = 0;         ///< instances, those that boot and drain included
  double backlog = 0;   ///< items that wait for a worker
  double latency_s = 0; ///< that 95 % of the interval's items stayed within
  double late = 0;      ///< share of the interval's items
  double cost = 0;      ///< so far
  std::string why;      ///< of what is wanted
};

/// What came of it. Always `arrived = finished + dropped + waiting`.
struct results {
  std::string load;
  std::string policy;
  std::uint64_t arrived = 0;
  std::uint64_t finished = 0;
  std::uint64_t within = 0; ///< the objective
  std::array<std::uint64_t, core::drop_reason_count> dropped{};
  std::uint64_t waiting = 0; ///< at the end, when nothing is waited for any longer
  latencies times;           ///< of finished items, from their arrival to their result
  double instance_s = 0;     ///< paid
  double cost = 0;
  int direction_changes = 0; ///< out after in, or in after out
  double mean_workers = 0;   ///< ready or draining
  int max_workers = 0;
  double max_backlog = 0;
  int asked = 0;     ///< instances asked for, after the first ones
  int failed = 0;    ///< of them, those that did not boot
  int taken = 0;     ///< instances taken away (Spot)
  int not_given = 0; ///< instances asked for and not available
  double length_s = 0;
  std::uint64_t leases = 0; ///< of segments, by the core; one that is repeated counts again
  std::uint64_t events = 0; ///< that the core asked for
  std::vector<moment> moments;

  [[nodiscard]] std::uint64_t dropped_total() const noexcept;
  /// Share of what arrived.
  [[nodiscard]] double within_share() const noexcept;
  [[nodiscard]] double changes_per_h() const noexcept;
};

/// Runs the real dispatch core under the load in virtual time, with workers that a policy adds and takes away.
///
/// Every item is one segment of one packet, as pictures of requests and sampled or intra-coded streams are. Requests
/// have their deadline, cameras are live streams and shed. The real controller decides, by these policies, and acts on
/// a fleet like a scale set: what it asks for boots, may fail or not be available; who leaves drains first and is paid
/// for until it is retired at a later decision.
///
/// After the load's end what is under way is still finished, but nothing is decided or paid any more.
///
/// The same scenario gives the same results, on every machine. Linear in the items.
[[nodiscard]] results simulate(const scenario& what, std::vector<policy_ptr> policies);

} // namespace penstock::scaling::simulator
