#pragma once

#include <deque>
#include <limits>
#include <memory>
#include <set>

#include "core/overloaded.hpp"
#include "tests/simulation/world.hpp"

// Inside of the world: what it consists of.

namespace penstock::test {

inline std::string text(core::segment_id id) {
  return std::to_string(id.stream.value) + "/" + std::to_string(id.number);
}

/// A frame as a sink keeps it.
struct kept_frame {
  std::uint64_t seq = 0;
  std::int64_t pts = 0;
  std::uint64_t segment = 0;
};

struct world::source {
  core::stream_id id;
  dispatch::stream_config config;
  std::vector<coded_packet> packets;
  std::map<const core::packet*, std::size_t> index_of;
  std::set<std::size_t> kills;
  std::set<std::size_t> cuts;
  std::set<std::size_t> fails;

  // What a run without interruption makes of it.
  std::vector<std::uint64_t> segment_of;      ///< by packet: its owner, or the one it is refused before
  std::vector<dispatch::checkpoint> segments; ///< where each begins
  std::vector<std::int64_t> shown;            ///< pts of all frames, by seq
  std::vector<std::uint64_t> wanted;          ///< seqs of frames that have a result

  // In this life of the head.
  dispatch::resume_point from;
  std::size_t next = 0;
  std::int64_t granted = 0;
  std::uint64_t received = 0;
  std::vector<std::int64_t> live_pts; ///< live: of all frames received
  std::vector<kept_frame> emitted;
  std::deque<kept_frame> unacknowledged;
  std::uint64_t done_before = 0; ///< segment of the last checkpoint
  std::int64_t writing_us = 0;   ///< when the last of its notes will be written
  bool sink_busy = false;
  bool open = false;
  bool finished = false;
  bool cancelled = false;   ///< requests: its client hung up
  bool quarantined = false; ///< requests
  int leases = 0;           ///< requests

  // Over all lives.
  std::vector<kept_frame> durable; ///< written by the sink
  std::optional<dispatch::checkpoint> written;
  bool finish_written = false;

  [[nodiscard]] bool live() const { return config.limits.policy == dispatch::stream_policy::live; }
  [[nodiscard]] bool request() const { return config.limits.policy == dispatch::stream_policy::request; }
};

struct world::task {
  bool live = false;
  std::uint32_t next_ordinal = 0;
  std::set<std::size_t> decoded;
  std::multimap<std::int64_t, std::pair<std::uint32_t, bool>> held; ///< by pts: ordinal, wanted
  int reorder = 0;
};

struct world::process {
  dispatch::worker_capacity capacity;
  std::int64_t paused_until = 0;
  std::deque<action> held; ///< what it will do once it goes on
  bool dead = false;
  std::weak_ptr<worker> last; ///< its latest connection
};

/// A worker's membership, from one hello to the end of the connection.
struct world::worker : std::enable_shared_from_this<worker> {
  core::worker_id id;
  std::uint32_t life = 0; ///< of the head
  std::shared_ptr<process> runs;
  bool connected = true;
  std::int64_t heard_until = std::numeric_limits<std::int64_t>::max(); ///< what comes later is lost
  bool lingers = false; ///< what is under way when the head dies reaches the next one
  std::int64_t busy_until = 0;
  std::int64_t in_link = 0;
  std::int64_t out_link = 0;
  std::int64_t credit_given = 0;
  bool leaving = false;
  bool may_leave = false;
  std::map<core::segment_id, task> tasks;
};

} // namespace penstock::test
