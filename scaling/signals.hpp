#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.hpp"

namespace penstock::scaling {

/// Workers of a role by where they are in their life. `joining`: the instance boots or the process starts; `warming`:
/// it has connected and loads its model; `lost`: its leases have run out and nobody said that it left.
struct worker_counts {
  int joining = 0;
  int warming = 0;
  int ready = 0;
  int draining = 0;
  int lost = 0;

  /// Those that work or soon will. What boots counts, so that it is not asked for twice.
  [[nodiscard]] int coming() const noexcept { return joining + warming + ready; }

  bool operator==(const worker_counts&) const = default;
};

/// What one role of workers shows at a moment (see `docs/scaling.md` for each formula). Items are what the role is
/// leased: frames, and pictures of requests.
struct signals {
  core::time_point at{};     ///< when it was measured, by the clock of the one who decides
  core::seconds window{30};  ///< over which heads average arrivals, service and utilisation
  double arrivals_per_s = 0; ///< items that came, admitted or not
  double served_per_s = 0;   ///< items finished, over the source's window
  double service_per_s = 0;  ///< items that one busy worker finishes in a second: items / busy time; 0 while unknown
  double utilisation = 0;    ///< of ready workers' time, the busy share, 0 to 1
  double backlog_items = 0;  ///< waiting for a worker
  core::seconds oldest{0};   ///< age of what has waited longest
  double late_share = 0;     ///< of the items of the source's window, those past the objective, 0 to 1
  int live_streams = 0;      ///< streams that need a place whatever their rate
  double streams_per_worker = 0; ///< places for live streams of one worker; 0: no bound
  worker_counts workers;
  core::seconds boot{0}; ///< from asking for an instance until its worker is ready, as measured; 0: not yet

  /// Seconds of work waiting for those that are ready: backlog / (ready × service); 0 with no backlog, infinite with a
  /// backlog and nobody ready or an unknown rate.
  [[nodiscard]] core::seconds backlog() const noexcept;

  bool operator==(const signals&) const = default;
};

} // namespace penstock::scaling
