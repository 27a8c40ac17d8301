#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "actors/links.hpp"
#include "actors/stage_figures.hpp"
#include "actors/worker.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// The worker's stages are there: it can work.
struct attach_worker {
  worker_actor worker;  ///< null for stages that take no leases
  std::string listen{}; ///< where other roles may dial it; empty: nowhere
  figures_source figures{};
  /// Who takes the frames or tensors of this worker, whenever that changes.
  std::function<void(const transport::directory&)> on_directory{};
  /// Leaving begins; it ends when `stage_drained` says so. Empty: when no lease is left.
  std::function<void()> on_leaving{};
};

/// Those who send to this worker's stages have all of their answers and send no more.
struct stage_drained {};

/// Leave in order within `grace`; what is not done by then is left to others.
struct leave_fleet {
  std::chrono::microseconds grace{0};
};

/// A head on another machine, with the handle of a local one. It says that the worker is there while its model loads,
/// joins, keeps alive and tells what was done, joins again whenever the link or the head was gone, and leaves.
using remote_head_actor =
    caf::typed_actor<caf::reacts_to<worker_hello>, caf::reacts_to<worker_credit>, caf::reacts_to<frame_outcomes>,
                     caf::reacts_to<segment_done>, caf::reacts_to<segment_failed>, caf::reacts_to<link_message>,
                     caf::reacts_to<link_up>, caf::reacts_to<link_down>, caf::reacts_to<link_tick>,
                     caf::reacts_to<attach_worker>, caf::reacts_to<stage_drained>, caf::reacts_to<leave_fleet>>;

struct remote_head_config {
  std::shared_ptr<transport::hub> hub;
  transport::hello hello;                             ///< capacities and address are filled in by the worker
  std::function<void()> on_left;                      ///< left in order
  std::function<void(std::string)> on_refused;        ///< the head will not have this worker
  std::function<void(core::worker_phase)> on_phase{}; ///< whenever it changes; it begins with `warming`
  metrics::link_series links{};                       ///< of the hub
};

/// Leases of a worker whose head is elsewhere. Inside the worker a segment goes by the number of its lease instead of
/// its epoch, so that what is left of a lease that was lost is never taken for a new lease of the same segment.
class lease_names {
 public:
  /// The local name of a new lease.
  core::segment_id open(core::segment_id segment);
  /// The local name of the present lease; empty where there is none.
  [[nodiscard]] std::optional<core::segment_id> local(core::segment_id segment) const;
  /// The segment behind a local name; empty where the lease is over.
  [[nodiscard]] std::optional<core::segment_id> global(core::segment_id local) const;
  /// The lease is over.
  void close(core::segment_id local);

  [[nodiscard]] bool empty() const noexcept { return leases_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return leases_.size(); }
  [[nodiscard]] std::vector<core::segment_id> all_local() const;

 private:
  std::map<std::uint32_t, core::segment_id> leases_; ///< by number
  std::map<core::segment_id, std::uint32_t> numbers_;
  std::uint32_t next_ = 0;
};

class remote_head_state {
 public:
  static inline const char* name = "remote_head";

  void configure(remote_head_actor::pointer self, const remote_head_config& config);

  void on(const worker_hello& message);
  void on(const worker_credit& message);
  void on(const frame_outcomes& message);
  void on(const segment_done& message);
  void on(const segment_failed& message);
  void on(const link_message& message);
  void on(const link_up& message);
  void on(const link_down& message);
  void on(const attach_worker& message);
  void on(const stage_drained& message);
  void on(const leave_fleet& message);
  void tick();

 private:
  void join();
  void announce();
  void show_phase();
  void reset();
  void welcomed(const transport::welcome& message);
  void refused(const transport::refused& message);
  void leave_if_done();
  void leave(const std::string& reason);
  void send(const transport::message& message);

  remote_head_actor::pointer self_ = nullptr;
  remote_head_config config_;
  /// Whether the head may hear of the worker: its stages are there, and it said what it takes, in whichever order.
  [[nodiscard]] bool is_ready() const noexcept { return attached_ && (introduced_ || !worker_); }

  [[nodiscard]] core::worker_phase phase() const noexcept;

  bool attached_ = false;
  bool introduced_ = false; ///< the worker's capacity is known
  worker_actor worker_;     ///< null where no leases are taken
  attach_worker stages_;    ///< empty until they are there
  core::worker_phase shown_ = core::worker_phase::warming;
  bool drained_ = true;                    ///< the stages owe nothing to other workers
  std::optional<transport::peer_id> peer_; ///< set while connected
  bool announced_ = false;                 ///< it has said that it is there and loads its model
  bool acknowledged_ = false;              ///< the head has answered that
  unsigned stale_welcomes_ = 0;            ///< that still come, of announcements that are over
  bool joined_ = false;
  bool must_join_ = false; ///< there was no room for a hello
  std::chrono::milliseconds lease_timeout_{3000};
  std::uint32_t free_ = 0; ///< lossless segments that could be taken
  lease_names leases_;
  bool leaving_ = false;
  bool may_leave_ = false; ///< the head knows
  bool left_ = false;
  std::optional<core::time_point> deadline_;
};

remote_head_actor::behavior_type remote_head(remote_head_actor::stateful_pointer<remote_head_state> self,
                                             const remote_head_config& config);

} // namespace penstock::actors

PENSTOCK_LOCAL_MESSAGE(attach_worker)
PENSTOCK_LOCAL_MESSAGE(stage_drained)
PENSTOCK_LOCAL_MESSAGE(leave_fleet)
