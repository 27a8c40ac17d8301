#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "dispatch/head.hpp"
#include "tests/simulation/gop_generator.hpp"
#include "tests/simulation/random.hpp"

namespace penstock::test {

/// What may go wrong, as probabilities per message or mean intervals.
struct faults {
  std::int64_t crash_every_us = 0; ///< mean, over all workers; 0 never
  std::int64_t pause_every_us = 0;
  double lose_outcome = 0;
  double lose_packet = 0;
  double lose_done = 0;
  double duplicate = 0;
  double poison = 0; ///< probability of a packet that kills its worker, whenever it is decoded
  double fails = 0;  ///< probability of a packet on which workers give the segment up
  double sink_fails = 0;
  std::int64_t until_us = 8'000'000; ///< then they stop
};

struct scenario {
  std::uint64_t seed = 0;
  faults wrong;
  std::vector<std::pair<dispatch::stream_config, gop_shape>> streams;
  int workers = 2;
  std::int64_t frame_us = 5000; ///< a worker's time for a wanted frame
  bool slow_sink = false;
  dispatch::head_config head;
};

/// A rule of the house was broken.
struct violation : std::logic_error {
  using std::logic_error::logic_error;
};

/// A head in a world of sources, workers, links and sinks that have the scenario's faults, in virtual time. `run`
/// checks after every event that the ledgers balance, and all along that frames come once and in order, that segments
/// can be decoded alone, that no credit is exceeded and that memory is bounded; at the end, that everything came to its
/// end.
class world {
 public:
  explicit world(const scenario& what, std::ostream* trace = nullptr);
  ~world();

  /// Throws `violation`.
  void run();

  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }
  [[nodiscard]] std::uint64_t quarantined() const noexcept { return quarantined_; }
  [[nodiscard]] const dispatch::head& head() const noexcept { return head_; }

 private:
  struct source;
  struct worker;
  struct task;
  using action = std::function<void()>;
  struct event {
    std::int64_t at_us;
    std::uint64_t order;
    action what;
    bool operator<(const event& other) const noexcept {
      return std::pair{at_us, order} > std::pair{other.at_us, other.order};
    }
  };

  [[nodiscard]] core::time_point now() const { return core::time_point{std::chrono::microseconds{now_us_}}; }
  void at(std::int64_t us, action what) { queue_.push({us, ++order_, std::move(what)}); }
  [[nodiscard]] bool faulty() const { return now_us_ < what_.wrong.until_us; }
  void require(bool truth, const std::string& rule) const;
  void log(const std::string& line) const;

  void add_source(std::uint32_t id);
  void push_lossless(source& s);
  void push_live(source& s);
  void push(source& s);

  void start_worker();
  void crash(worker& w, bool noticed);
  void beat(worker& w);
  void to_worker(core::worker_id id, std::function<void(worker&)> message);
  void at_worker(const std::shared_ptr<worker>& w, std::int64_t us, std::function<void(worker&)> what);
  void to_head(worker& w, action message);
  void open(worker& w, const dispatch::send_open& m);
  void decode(worker& w, const dispatch::send_packet& m);
  void show(worker& w, core::segment_id id, task& t);
  void flush(worker& w, core::segment_id id);
  void drop_task(worker& w, core::segment_id id);
  void misbehave();

  void carry_out();
  void receive(const dispatch::emit& m);
  void acknowledge(source& s);
  void check() const;
  void check_end() const;

  scenario what_;
  std::ostream* trace_;
  random rng_;
  dispatch::head head_;
  dispatch::head::actions actions_;
  std::priority_queue<event> queue_;
  std::int64_t now_us_ = 0;
  std::uint64_t order_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t quarantined_ = 0;
  std::uint32_t next_worker_ = 0;
  std::vector<std::unique_ptr<source>> sources_;
  std::map<std::uint32_t, std::shared_ptr<worker>> workers_;
};

} // namespace penstock::test
