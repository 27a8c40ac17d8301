#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "core/time.hpp"
#include "core/worker_figures.hpp"

namespace penstock::dispatch {

/// What came for a role of workers and what became late, counted since the head began.
struct pool_counts {
  std::uint64_t arrived = 0; ///< items that come whatever is done with them
  std::uint64_t live = 0;    ///< of them, frames of live streams
  std::uint64_t timely = 0;  ///< of them, those that had their result within the objective
  std::uint64_t late = 0;    ///< of them, those that had it later, or were given up for want of room
};

/// For live streams, at workers that are ready.
struct pool_places {
  std::uint32_t all = 0;
  std::uint32_t free = 0;
};

/// What is there at a moment.
struct pool_load {
  double backlog_items = 0;          ///< see docs/metrics.md
  double backlog_of_jobs = 0;        ///< of them, those of jobs that are queued
  core::seconds oldest{0};           ///< age of what has waited longest
  std::uint32_t live_streams = 0;    ///< that need a place, whatever their rate
  std::optional<pool_places> places; ///< none for a role that works behind another's link
};

/// Workers by where they are in their life. Those that have not been heard yet only their fleet knows.
struct pool_workers {
  std::uint32_t warming = 0;
  std::uint32_t ready = 0;
  std::uint32_t draining = 0;
  std::uint32_t lost = 0;
  bool operator==(const pool_workers&) const = default;
};

/// The signals of a role (formulas: docs/metrics.md).
struct pool_figures {
  core::time_point at{};
  core::seconds window{
      0}; ///< that rates and shares are of: shorter than asked for where it has not been watched longer
  std::uint64_t arrived = 0;
  std::uint64_t finished = 0;
  std::uint64_t late = 0;
  double arrivals_per_s = 0;
  double finished_per_s = 0;
  double service_per_s = 0; ///< items that one worker finishes in a second of work; 0 while unknown
  double utilisation = 0;   ///< of the busiest resource of ready workers, 0 to 1
  std::array<double, core::all_stages.size()> stage_utilisation{};
  std::optional<core::stage> bottleneck; ///< none while nothing is done
  double backlog_items = 0;
  double backlog_of_jobs = 0;
  core::seconds backlog{0}; ///< infinite where there is one and nobody works, or the rate is not known
  core::seconds oldest{0};
  double late_share = 0; ///< of items with an objective whose fate was known in the window
  std::uint32_t live_streams = 0;
  double headroom_streams = 0;
  double places_per_worker = 0; ///< for live streams, on the average; 0: no bound, or nobody is ready
  pool_workers workers;
};

struct pool_meter_config {
  std::chrono::seconds window{30};
  /// A worker that was silent for longer is watched anew: nobody knows when it did what it did.
  std::chrono::seconds longest_gap{10};
  /// How long a worker that went without a word counts as lost, unless it comes back.
  std::chrono::seconds lost_for{300};
};

/// Measures one role of workers: sums over a sliding window, in whole seconds. A pure state machine: events and the
/// time in, which never goes back. Workers are known by their names in the fleet. Its memory is bounded by the window
/// and by the workers that are there or lately were. Not thread-safe.
class pool_meter {
 public:
  explicit pool_meter(pool_meter_config config = {}) : config_{config} {}

  /// A worker says what it has done since its process began. What it did in one phase counts where it was ready before
  /// and after. Figures that went back are those of another process of that name, which is watched from here on.
  void heard(const std::string& worker, const core::worker_figures& figures, core::time_point now);
  /// It is gone. `lost`: nobody said that it would leave.
  void gone(const std::string& worker, bool lost, core::time_point now);

  /// To be called several times a second.
  [[nodiscard]] pool_figures measure(const pool_counts& counts, const pool_load& load, core::time_point now);

 private:
  static constexpr std::size_t stages = core::all_stages.size();
  static constexpr std::size_t resources = 2;

  struct known {
    core::worker_figures figures;
    core::time_point at{};
  };

  /// What happened in a second.
  struct slot {
    core::time_point begin{};
    double arrived = 0;
    double live = 0;
    double timely = 0;
    double late = 0;
    double all_items = 0; ///< finished by whoever
    double items = 0;     ///< finished by workers that were ready
    // Of ready workers, by resource; room is time × cores or lanes.
    std::array<std::array<core::seconds, stages>, resources> busy{};
    std::array<std::array<core::seconds, stages>, resources> room{};
    std::array<core::seconds, resources> ready{}; ///< of workers that work on the resource
    std::array<core::seconds, resources> there{}; ///< room of the resource as a whole

    slot& operator+=(const slot& other) noexcept;
  };

  slot& slot_at(core::time_point now);
  void count_work(const core::worker_figures& before, const core::worker_figures& after, core::seconds passed,
                  slot& in);
  [[nodiscard]] pool_workers count_workers(core::time_point now);
  void rate_work(const slot& sum, pool_figures& out);
  static void rate_load(const slot& sum, const pool_load& load, pool_figures& out);

  pool_meter_config config_;
  std::map<std::string, known> workers_;
  std::map<std::string, core::time_point> lost_;
  std::deque<slot> slots_;
  pool_counts counted_;
  std::uint64_t finished_ = 0;
  double service_per_s_ = 0; ///< the last that was known
};

} // namespace penstock::dispatch
