#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

#include "dispatch/head.hpp"
#include "dispatch/window.hpp"
#include "scaling/simulator/arrivals.hpp"
#include "scaling/simulator/random.hpp"
#include "scaling/simulator/simulation.hpp"

// Inside of the simulation: its world, in parts, one source file each.

namespace penstock::scaling::simulator {

/// An item that a worker has.
struct task {
  core::segment_id id;
  bool closed = false;  ///< nothing more comes for its segment
  bool revoked = false; ///< while it is in a batch
};

/// `failed`: it did not boot; `left`: its worker said bye. Both are there, and paid for, until they are retired.
enum class phase : unsigned char { joining, warming, ready, draining, left, failed, gone };

/// An instance and its worker.
struct machine {
  core::worker_id id;
  phase now = phase::joining;
  std::int64_t asked_us = 0;
  std::int64_t gone_us = never_us;
  std::vector<task> queue;                ///< oldest first
  std::vector<std::vector<task>> batches; ///< by instance of the engine; empty: it is idle
  std::vector<task> answered;             ///< their segments are still open
  std::size_t tasks = 0;

  [[nodiscard]] bool works() const noexcept { return now == phase::ready || now == phase::draining; }
};

/// One run of a scenario.
class world {
 public:
  world(const scenario& what, std::vector<policy_ptr> policies);

  [[nodiscard]] results run();

 private:
  enum class kind : unsigned char { batch_done, booted, warmed, notice, taken, tick, decide, beat };
  struct event {
    std::int64_t at_us;
    std::uint64_t order;
    kind what;
    std::uint32_t machine = 0;
    std::uint32_t instance = 0;
    bool operator<(const event& other) const noexcept {
      return at_us != other.at_us ? at_us > other.at_us : order > other.order;
    }
  };
  struct request {
    std::int64_t arrived_us = 0;
    bool over = false;
  };
  struct camera_state {
    std::int64_t first_us = never_us; ///< arrival of its first frame
    bool open = false;
  };
  /// Sums since the beginning; signals are made from their differences.
  struct sums {
    std::int64_t at_us = 0;
    std::uint64_t arrived = 0;
    std::uint64_t finished = 0;
    std::uint64_t late = 0; ///< finished late or dropped
    std::uint64_t over = 0; ///< finished or dropped
    double busy_us = 0;     ///< of instances of the engine
    double worked_us = 0;   ///< time of workers that were ready or draining
  };

  // world.cpp: time, the load, and the head's wishes
  [[nodiscard]] core::time_point now() const noexcept { return core::time_point{std::chrono::microseconds{now_us_}}; }
  void at(std::int64_t us, kind what, std::uint32_t machine = 0, std::uint32_t instance = 0);
  void step();
  void handle(const event& e);
  void bring_request();
  void bring_frame();
  void carry_out();
  void end_stream(core::stream_id stream);
  void receive(const core::frame_result& result);
  [[nodiscard]] bool is_over() const noexcept;

  // machines.cpp: workers and their instances
  machine& of(core::worker_id id) noexcept { return machines_[id.value]; }
  std::uint32_t ask_for_instance();
  void boot_ended(machine& m);
  void join(machine& m);
  void drain(machine& m);
  void leave_if_done(machine& m);
  void warn(machine& m);
  void lose(machine& m);
  void abandon(machine& m, bool excused);
  void stop(machine& m, phase next);
  void take(const dispatch::send_packet& m);
  void close(const dispatch::send_close& m);
  void revoke(const dispatch::revoke& m);
  void start(machine& m);
  void complete(machine& m, std::uint32_t instance);
  void done(machine& m, core::segment_id id);
  void count_working(int change);

  // deciding.cpp: what is seen and what is wanted
  [[nodiscard]] sums sum_up();
  [[nodiscard]] signals see(const sums& all);
  void decide();
  [[nodiscard]] fleet_state fleet_seen() const;
  [[nodiscard]] std::vector<worker_view> workers_seen() const;
  void act(const decision& made);
  void note(const decision& made, const sums& all, double backlog);
  [[nodiscard]] worker_counts count_workers() const noexcept;
  [[nodiscard]] double instance_s() const noexcept;
  [[nodiscard]] std::uint64_t dropped_so_far() const;
  void conclude();

  const scenario& what_;
  controller controller_;
  dispatch::head head_;
  random rng_;
  std::optional<request_arrivals> requests_coming_;
  std::optional<camera_frames> frames_coming_;
  core::packet_ptr packet_; ///< all packets are this one
  dispatch::stream_config stream_;
  std::int64_t now_us_ = 0;
  std::int64_t end_us_ = 0;
  std::uint64_t order_ = 0;
  std::priority_queue<event> queue_;
  dispatch::head::actions actions_;
  dispatch::head::actions work_;

  dispatch::window<request> requests_; ///< by stream; those before it are over
  std::vector<camera_state> cameras_;  ///< by stream
  int cameras_on_ = 0;
  std::vector<machine> machines_;       ///< all that ever were, by worker
  std::vector<std::uint32_t> there_;    ///< those that are not gone
  std::vector<task> batch_;             ///< that has just ended
  std::vector<std::uint32_t> to_start_; ///< workers that may have idle instances and items
  int working_ = 0;                     ///< workers that are ready or draining
  std::int64_t working_since_us_ = 0;   ///< what `sums_` has
  int target_ = 0;                      ///< instances that the fleet was asked for
  double gone_instance_s_ = 0;          ///< paid for those that are gone
  sums sums_;
  std::deque<sums> past_;    ///< the last window's
  double service_per_s_ = 0; ///< the last that was known
  sums noted_;               ///< at the last moment
  latencies interval_times_;
  results results_;
};

} // namespace penstock::scaling::simulator
