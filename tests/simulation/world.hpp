#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/head.hpp"
#include "tests/simulation/gop_generator.hpp"
#include "tests/simulation/random.hpp"

namespace penstock::test {

/// What may go wrong, as probabilities per message or mean intervals over all workers (0: never).
struct faults {
  std::int64_t crash_every_us = 0; ///< a worker dies, another one comes
  std::int64_t pause_every_us = 0; ///< a worker stands still, for longer than its lease at times
  std::int64_t reset_every_us = 0; ///< a connection ends with all that is under way; its worker dials again
  std::int64_t leave_every_us = 0; ///< a worker finishes what it has and goes, another one comes
  std::int64_t head_crash_every_us = 0;
  double lose_outcome = 0;
  double lose_packet = 0;
  double lose_done = 0;
  double duplicate = 0;
  double poison = 0; ///< probability of a packet that kills its worker, whenever it is decoded
  double cuts = 0;   ///< probability of a packet that breaks its worker's connection, whenever it is decoded
  double fails = 0;  ///< probability of a packet on which workers give the segment up
  double sink_fails = 0;
  std::int64_t until_us = 8'000'000; ///< then they stop

  /// Messages can vanish from a connection that holds.
  [[nodiscard]] bool lossy() const { return lose_outcome + lose_packet + lose_done > 0; }
};

struct scenario {
  std::uint64_t seed = 0;
  faults wrong;
  std::vector<std::pair<dispatch::stream_config, gop_shape>> streams;
  int workers = 2;
  std::int64_t frame_us = 5000; ///< a worker's time for a wanted frame
  bool slow_sink = false;
  std::int64_t request_every_us = 0; ///< mean interval of requests; 0: none
  dispatch::head_config head;        ///< its epoch is that of the first life
};

/// A rule of the house was broken.
struct violation : std::logic_error {
  using std::logic_error::logic_error;
};

/// A head, life after life, in a world of sources, workers, connections and sinks that have the scenario's faults, in
/// virtual time. Connections keep the order of their messages, each at its own pace. Sinks keep what they wrote;
/// checkpoints are written some time after the head asked for it.
///
/// `run` checks after every event that the ledgers balance and that memory and credit are bounded, and all along that
/// frames come once and in order over all lives, that segments can be decoded alone, that checkpoints are true, and
/// that requests end once and by their deadline; at the end, that everything came to its end, no frame is missing, and
/// nothing is left in the head.
class world {
 public:
  explicit world(const scenario& what, std::ostream* trace = nullptr);
  ~world();

  /// Throws `violation`.
  void run();

  struct counts {
    std::uint64_t events = 0;
    std::uint64_t quarantined = 0;
    std::uint64_t head_crashes = 0;
    std::uint64_t resumed_streams = 0; ///< that went on behind a checkpoint
    std::uint64_t stale_messages = 0;  ///< of an earlier life
    std::uint64_t checkpoints = 0;
    std::uint64_t rejoined = 0; ///< workers that the head had given up
    std::uint64_t left = 0;     ///< workers that went in order
    std::uint64_t requests = 0;
    std::uint64_t requests_delivered = 0;
    std::uint64_t requests_late = 0;     ///< dropped behind their deadline
    std::uint64_t requests_poisoned = 0; ///< quarantined
    std::uint64_t requests_again = 0;    ///< leases beyond a request's first

    counts& operator+=(const counts& other) noexcept;
  };
  [[nodiscard]] const counts& counted() const noexcept { return counts_; }

 private:
  struct source;
  struct process;
  struct worker;
  struct task;
  using action = std::function<void()>;
  using worker_action = std::function<void(worker&)>;
  struct event {
    std::int64_t at_us;
    std::uint64_t order;
    action what;
    bool operator<(const event& other) const noexcept {
      return std::pair{at_us, order} > std::pair{other.at_us, other.order};
    }
  };

  // world.cpp: time, the head's lives, and its wishes
  [[nodiscard]] core::time_point now() const { return core::time_point{std::chrono::microseconds{now_us_}}; }
  void at(std::int64_t us, action what) { queue_.push({us, ++order_, std::move(what)}); }
  void in_this_life(std::int64_t us, action what);
  [[nodiscard]] bool faulty() const { return now_us_ < what_.wrong.until_us; }
  [[nodiscard]] std::uint32_t epoch() const { return what_.head.epoch + life_; }
  void require(bool truth, const char* rule) const;
  void log(const std::string& line) const;
  void misbehave();
  void start_head();
  void crash_head();
  void tick();
  void carry_out();
  void step();

  // world_streams.cpp: sources, sinks and checkpoints
  void add_source(std::uint32_t id);
  void plan(source& s) const;
  void open_stream(source& s);
  void push_lossless(source& s);
  void push_live(source& s);
  void push(source& s);
  void receive(const dispatch::emit& m);
  void receive(const dispatch::checkpoint& m);
  void acknowledge(source& s);
  void finish(source& s);

  // world_requests.cpp: requests
  source& stream_of(core::stream_id id);
  void ask();
  void check_lease(source& s);
  void check_request(const source& s) const;
  void end_request(source& s);
  void wind_up();

  // world_workers.cpp: workers and connections
  void start_worker(std::int64_t us);
  void join(const std::shared_ptr<process>& p, std::int64_t us);
  void disconnect(worker& w);
  void crash(worker& w, bool noticed);
  void reset(worker& w);
  void pause(worker& w);
  void thaw(const std::shared_ptr<process>& p);
  void leave(worker& w);
  void leave_if_done(worker& w);
  void beat(worker& w);
  void forget(core::worker_id id);
  void to_worker(core::worker_id id, worker_action message);
  void at_worker(const std::shared_ptr<worker>& w, std::int64_t us, worker_action what);
  void to_head(worker& w, bool fenced, action message);
  void arrive(const std::shared_ptr<worker>& from, std::int64_t us, bool fenced, action message);
  void open(worker& w, const dispatch::send_open& m);
  void decode(worker& w, const dispatch::send_packet& m);
  void show(worker& w, core::segment_id id, task& t);
  void flush(worker& w, core::segment_id id);
  void drop_task(worker& w, core::segment_id id);

  // world_laws.cpp
  void check() const;
  void check_memory(const source& s) const;
  void check_end_of_life(const source& s) const;
  void check_end() const;

  static constexpr std::int64_t tick_us = 50'000;

  scenario what_;
  std::ostream* trace_;
  random rng_;
  std::optional<dispatch::head> head_; ///< empty between two lives
  std::uint32_t life_ = 0;
  dispatch::head::actions actions_;
  std::priority_queue<event> queue_;
  std::int64_t now_us_ = 0;
  std::uint64_t order_ = 0;
  counts counts_;
  std::uint32_t next_worker_ = 0;
  std::vector<std::unique_ptr<source>> sources_;
  std::uint32_t next_request_ = 1000;                         ///< its stream
  std::map<std::uint32_t, std::unique_ptr<source>> requests_; ///< all that ever were, by stream
  std::set<std::uint32_t> asked_;                             ///< those that the head has
  std::vector<std::shared_ptr<process>> processes_;
  std::map<std::uint32_t, std::shared_ptr<worker>> workers_; ///< that joined in this life
};

} // namespace penstock::test
