#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "dispatch/retained_packets.hpp"
#include "dispatch/stream_table.hpp"
#include "dispatch/window.hpp"
#include "dispatch/worker_table.hpp"

// Inside of the dispatcher: its tables, and its parts, one source file each.

namespace penstock::dispatch {

struct segment_state {
  core::codec_ptr codec;
  retained_packets kept;
  core::worker_id holder = no_worker;
  std::uint32_t sent = 0;                 ///< ordinals below it have been sent to a worker
  std::uint32_t slot = 0;                 ///< index in the holder's leases
  core::worker_id avoid = no_worker;      ///< failed it last
  std::optional<core::drop_reason> cut;   ///< frames that still come for it are dropped for this reason
  std::optional<core::time_point> closed; ///< by the source
  core::time_point touched{};             ///< last lease or outcome
  std::uint32_t failures = 0;             ///< in a row without a new outcome
  std::uint32_t deaths = 0;               ///< of its workers, likewise, in quarters
  std::uint32_t lonely_deaths = 0;        ///< likewise, of workers that had nothing else
  std::uint32_t streak = 0;               ///< counts the rows
  bool waiting = false;                   ///< in its stream's queue, among the suspects, or among the requests
  bool suspect = false;

  [[nodiscard]] bool leased() const noexcept { return holder != no_worker; }
  [[nodiscard]] bool complete() const noexcept { return closed || cut; }
};

struct stream_state {
  core::stream_id id;
  stream_limits limits;
  window<segment_state> segments; ///< by number
  packet_sums sums;
  std::int64_t outstanding = 0;      ///< frames received and not settled; events of the collector may come first
  std::int64_t granted = 0;          ///< packets its source may still push
  std::size_t packet_bytes = 0;      ///< running average
  std::vector<std::uint64_t> queue;  ///< heap, oldest first, of lossless segments without a worker
  std::size_t completed = 0;         ///< segments in the table of which nothing more comes
  core::worker_id place = no_worker; ///< live: its worker; lossless: the last one
  bool in_turn = false;              ///< has its turn among streams with a queue
  bool unplaced = false;             ///< live: among those that wait for a worker with room
  bool ended = false;
  bool leaving = false; ///< to be forgotten once its last lease has ended

  [[nodiscard]] bool live() const noexcept { return limits.policy == stream_policy::live; }
  [[nodiscard]] bool lossless() const noexcept { return limits.policy == stream_policy::lossless; }
  [[nodiscard]] bool request() const noexcept { return limits.policy == stream_policy::request; }

  /// Whether time can change anything: something is waited for, from whomever.
  [[nodiscard]] bool waits() const noexcept { return sums.pending > 0 || completed > 0; }

  void close(segment_state& g, core::time_point now) noexcept {
    if (!g.complete()) ++completed;
    g.closed = now;
  }
  void cut(segment_state& g, core::drop_reason reason) noexcept {
    if (!g.complete()) ++completed;
    g.cut = reason;
  }
};

/// Requests that wait for a worker, the earliest deadline first, older ones first where equal.
using request_queue = std::set<std::pair<core::time_point, core::segment_id>>;

/// How a worker went.
enum class loss : std::uint8_t {
  noticed, ///< it is known when it died
  silent,  ///< it fell silent
  excused, ///< it gave its leases back, which says nothing about them
};

/// What a worker's loss counted against a segment, in quarters of a death.
struct blame {
  core::segment_id segment;
  unsigned weight = 0;
  bool lonely = false;
  std::uint32_t streak = 0; ///< of the segment, then
};

struct dispatcher::state {
  state(const dispatcher_config& limits, std::uint32_t life)
      : config{limits}, epoch{life}, workers{limits.requests_per_worker} {}

  dispatcher_config config;
  std::uint32_t epoch = 0;
  stream_table<stream_state> streams;
  worker_table workers;
  std::deque<core::stream_id> turns;      ///< lossless streams with waiting segments
  std::vector<core::stream_id> unplaced;  ///< live streams that need a worker with room
  request_queue requests;                 ///< those that any worker may have
  request_queue retried;                  ///< those that are to avoid the worker that failed them
  std::vector<core::segment_id> suspects; ///< waiting for a worker of their own
  core::worker_id reserved = no_worker;   ///< the worker kept for suspects
  std::optional<core::segment_id> alone;  ///< the suspect it works on
  std::size_t leases = 0;
  ignored_reports ignored;
  std::uint64_t failed_leases = 0;
  std::deque<std::pair<core::worker_id, std::vector<blame>>> absent; ///< the last ones lost, that may return
  std::optional<core::time_point> deadline;                          ///< set by shutdown

  stream_state* find(core::stream_id id) noexcept { return streams.find(id); }
  segment_state* find(core::segment_id id) noexcept;
  /// The segment if the worker holds it; otherwise counts what the worker said of it as ignored.
  segment_state* held_by(core::worker_id worker, core::segment_id id) noexcept;
  [[nodiscard]] core::segment_id id_of(const stream_state& s, std::uint64_t number) const noexcept {
    return {s.id, epoch, number};
  }

  void forget(stream_state& s);
  void forget_leaving();

  // leasing.cpp: who gets what
  [[nodiscard]] bool needs_worker(const segment_state& g) const noexcept;
  [[nodiscard]] std::optional<std::uint64_t> oldest_pending(const stream_state& s) const noexcept;
  void want_lease(stream_state& s, std::uint64_t number, core::time_point now, actions& out);
  void place_waiting(core::time_point now, actions& out);
  void place_after(stream_policy ended, core::time_point now, actions& out);
  void stop_waiting(stream_state& s, std::uint64_t number);
  void lease(stream_state& s, std::uint64_t number, worker_state& w, core::time_point now, actions& out);
  void end_lease(stream_state& s, segment_state& g);
  void finish_if_done(stream_state& s, std::uint64_t number);
  void unblock(stream_state& s, core::time_point now, actions& out);

  // failing.cpp: what becomes of a segment whose worker did not do it
  void fail(stream_state& s, std::uint64_t number, const std::string& why, core::time_point now, actions& out);
  void die(stream_state& s, std::uint64_t number, unsigned weight, core::time_point now, actions& out);
  void acquit(core::worker_id worker);
  [[nodiscard]] std::uint32_t enough_deaths() const noexcept;
  void lose_worker(core::worker_id worker, loss how, core::time_point now, actions& out);
  void quarantine_segment(stream_state& s, std::uint64_t number, std::string why, actions& out);
  void drop_pending(stream_state& s, std::uint64_t number, core::drop_reason reason, actions& out);
  void give_up(stream_state& s, std::uint64_t number, core::drop_reason reason, actions& out);
  void give_up_all(stream_state& s, core::drop_reason reason, actions& out);
  void move_place(stream_state& s, worker_state* to);
  void expire(core::time_point now, actions& out);
  void check_leases(stream_state& s, core::time_point now, actions& out);

  // pacing.cpp: too much
  void top_up(stream_state& s, actions& out);
  [[nodiscard]] std::optional<core::time_point> lag_since(const stream_state& s) const;
  [[nodiscard]] bool should_shed(const stream_state& s, core::time_point now) const;
  void shed_old(stream_state& s, core::time_point now, actions& out);
  [[nodiscard]] static bool overdue(const stream_state& s, core::time_point now) noexcept;
  void drop_overdue(stream_state& s, core::time_point now, actions& out);

 private:
  request_queue& queue_of(const segment_state& g) noexcept { return g.avoid == no_worker ? requests : retried; }
  void place_requests(core::time_point now, actions& out);
  void place_live(core::time_point now, actions& out);
  void place_suspects(core::time_point now, actions& out);
  void place_bulk(core::time_point now, actions& out);
  void release_reserved();
  void check_lease(stream_state& s, std::uint64_t number, core::time_point now, actions& out);
  bool lease_live(stream_state& s, core::time_point now, actions& out);
  worker_state* choose_place(stream_state& s, const segment_state& g, core::time_point now);
  void retry(stream_state& s, std::uint64_t number, core::time_point now, actions& out);
};

} // namespace penstock::dispatch
