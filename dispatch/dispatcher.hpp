#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/packet.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "dispatch/actions.hpp"
#include "dispatch/limits.hpp"

namespace penstock::dispatch {

/// What a worker takes at a time.
struct worker_capacity {
  std::uint32_t bulk = 1; ///< lossless segments; the yardstick of its backlog. What it may be sent is its credit.
  std::uint32_t live = 0; ///< live streams
};

/// Where a worker stands, for metrics.
struct worker_load {
  std::uint32_t bulk = 0;     ///< lossless segments leased to it
  std::uint32_t live = 0;     ///< live streams that have their place there
  std::uint32_t credit = 0;   ///< lossless segments it would still take
  std::uint32_t requests = 0; ///< leased to it
};

/// Where a stream stands, for metrics.
struct stream_load {
  std::size_t outstanding = 0;    ///< frames received and not yet settled
  std::size_t wanted = 0;         ///< wanted frames without an outcome
  std::size_t retained_bytes = 0; ///< of packets
  std::size_t waiting = 0;        ///< segments without a worker
  std::size_t segments = 0;       ///< in the table
};

/// What no worker holds, of all streams and requests together.
struct waiting_load {
  std::size_t segments = 0;
  std::size_t frames = 0;                ///< wanted ones of them
  std::optional<core::time_point> since; ///< when the oldest of these frames arrived
};

/// What workers said that changed nothing. Some of it is natural: they may not know yet that a lease has moved.
struct ignored_reports {
  std::uint64_t stale = 0;         ///< ends of segments of another epoch
  std::uint64_t not_held = 0;      ///< ends of segments that the worker does not hold
  std::uint64_t not_sent = 0;      ///< outcomes of frames that no worker was sent
  std::uint64_t excess_credit = 0; ///< segments beyond what the worker declared as its capacity
};

/// Leases segments to workers and keeps every packet until all results it can lead to are there, so any worker may
/// vanish at any time. A pure state machine: events and the time in, actions appended to `out`.
///
/// **Leases.** A segment gets a worker as soon as one of its frames is wanted; a segment of which nothing is wanted is
/// never sent. Packets of a leased segment go out as they arrive. When the worker is lost or fails, the segment goes to
/// another one, before younger ones of its stream, with frames that have their outcome marked as not wanted.
///
/// **Placement.** Lossless: to the worker with credit and the least relative backlog (the stream's last one where
/// equal), streams in turn, oldest segment first. Live: a stream has its place at one worker and keeps it while that
/// keeps up. Live streams are placed before lossless segments.
///
/// Requests are placed before both, the earliest deadline first, each with the least loaded worker that has fewer than
/// `dispatcher_config::requests_per_worker` of them and takes anything at all. They use no credit, so however many
/// there are, lossless segments get their workers as without them. Only a worker that is kept for a suspect segment
/// gets no requests, as one of them might kill it.
///
/// **Failures.** A failure that a worker reports, an end with wanted frames left, and a stall count against the
/// segment; the `attempts`-th in a row without a new result between them quarantines it: what is left of it is dropped
/// (`poison`), and its stream goes on. A worker's death is weak evidence, as bystanders die too: after `attempts` - 1
/// (at least 1) deaths in a row without a new result the segment is suspect and gets a worker of its own; as many
/// deaths there quarantine it. Where nothing was heard of the worker since it got the segment it may have been dead
/// before, so that death counts a quarter. A death that was none (`worker_returned`) counts a quarter too. A live
/// segment is given up to the next keyframe instead (`shed`), as fresh frames are worth more than knowing who is to
/// blame. A request that fails goes to another worker, like a lossless segment; where that would be suspect it is put
/// into quarantine at once (`poison`): its client can send it again, and others' work is not risked for it.
///
/// **Push-back and shedding.** See `stream_limits`. A request is never shed and needs no grants. Once its deadline has
/// passed it is dropped (`deadline`), by `tick` or when it would get a worker, and leaves the worker it has.
///
/// Of one segment, `frame_resolved` must be fed before the `segment_done` of the worker that sent the outcome, as they
/// left the worker: let both take the same way.
/// Calls about unknown or past streams, segments and workers are without effect. Not thread-safe.
class dispatcher {
 public:
  using actions = std::vector<dispatcher_action>;

  dispatcher(dispatcher_config config, std::uint32_t epoch);
  ~dispatcher();
  dispatcher(dispatcher&&) noexcept;
  dispatcher& operator=(dispatcher&&) noexcept;

  // ---- from sources. A frame must be announced to the collector before it is given here.

  /// A lossless stream gets its first grant. A stream of this id must not exist. Segments are numbered from
  /// `first_segment` on.
  void add_stream(core::stream_id stream, const stream_limits& limits, actions& out, std::uint64_t first_segment = 0);
  void segment_opened(core::stream_id stream, std::uint64_t number, core::codec_ptr codec, core::time_point now,
                      actions& out);
  /// `owned` as the segmenter says; `wanted`: owned and not sampled out.
  void packet(core::result_id id, const core::packet_ptr& packet, bool owned, bool wanted, core::time_point now,
              actions& out);
  /// A packet that is in no segment, or in one that is passed over: gives its grant back. `shown`: its frame was
  /// announced.
  void packet_refused(core::stream_id stream, bool shown, actions& out);
  void segment_closed(core::stream_id stream, std::uint64_t number, core::time_point now, actions& out);
  /// No more packets come; what is under way goes on.
  void stream_ended(core::stream_id stream, core::time_point now, actions& out);
  /// Gives up what is under way, for the reason `why`, and forgets the stream.
  void remove_stream(core::stream_id stream, core::time_point now, actions& out,
                     core::drop_reason why = core::drop_reason::shutdown);
  /// Forgets a stream that has ended and of which every frame has its fate, as soon as its last lease has ended.
  void forget_stream(core::stream_id stream);

  // ---- from workers

  void worker_joined(core::worker_id worker, worker_capacity capacity, core::time_point now, actions& out);
  /// The worker takes that many more lossless segments. It grants as many as it has free, at first after joining, later
  /// one for each that ended there, in whichever way. What it has free at a time is at most its capacity; more is not
  /// taken.
  void worker_credit(core::worker_id worker, std::uint32_t segments, core::time_point now, actions& out);
  /// The worker is alive. To come at least four times in a lease timeout: after half of it in silence the worker gets
  /// nothing new, after all of it it is out.
  void worker_heartbeat(core::worker_id worker, core::time_point now);
  /// It takes nothing new and finishes what it has; live streams leave at their next segment.
  void worker_draining(core::worker_id worker, core::time_point now, actions& out);
  /// The worker is known to be gone: its link broke, its process ended. `excused`: it gave its leases back for reasons
  /// of its own, so nothing counts against its segments.
  void worker_lost(core::worker_id worker, core::time_point now, actions& out, bool excused = false);
  /// A worker that was lost turns out to be alive, as another worker: its loss counts a quarter only against what it
  /// held.
  void worker_returned(core::worker_id worker);
  void segment_done(core::worker_id worker, core::segment_id segment, core::time_point now, actions& out);
  void segment_failed(core::worker_id worker, core::segment_id segment, const core::error& why, core::time_point now,
                      actions& out);

  /// Whether an outcome of this frame can be: false, and counted, if no worker was ever sent it.
  [[nodiscard]] bool may_have_outcome(core::result_id id);

  // ---- from the collector

  void frame_resolved(core::result_id id, core::time_point now, actions& out);
  void frames_settled(core::stream_id stream, std::uint32_t count, actions& out);

  // ---- time

  /// Expires workers, stalled leases, requests and old live frames. To be called several times in the shortest of the
  /// configured times, e.g. every 100 ms. Linear in workers and streams.
  void tick(core::time_point now, actions& out);

  /// No new leases and grants; segments without a worker are dropped at once (`shutdown`), and at `deadline` (by
  /// `tick`, or now if it has passed) everything.
  void shutdown(core::time_point now, core::time_point deadline, actions& out);

  /// Nothing is leased, waiting or retained.
  [[nodiscard]] bool idle() const noexcept;
  [[nodiscard]] worker_load load_of(core::worker_id worker) const noexcept;
  [[nodiscard]] stream_load load_of(core::stream_id stream) const noexcept;
  /// Linear in streams and segments.
  [[nodiscard]] waiting_load waiting() const noexcept;
  [[nodiscard]] std::size_t count_streams() const noexcept;
  [[nodiscard]] std::size_t waiting_requests() const noexcept;
  [[nodiscard]] const ignored_reports& ignored() const noexcept;
  /// Leases that ended without all results, for whatever reason but that their worker gave them back.
  [[nodiscard]] std::uint64_t failed_leases() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace penstock::dispatch
