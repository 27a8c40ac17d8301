#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actors/pools.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "core/worker_figures.hpp"
#include "dispatch/ledger.hpp"

namespace penstock::actors {

enum class stream_phase : std::uint8_t { waiting, opening, running, closing, finished };

/// Where one stream stands.
struct stream_report {
  std::string id;
  std::string uri; ///< for people: without a password
  stream_phase phase = stream_phase::waiting;
  bool lossless = true;
  bool finite = true;
  std::uint64_t frames = 0; ///< how many the source has for this run, an estimate; 0 when not known
  dispatch::ledger ledger;
  std::optional<std::uint64_t> resumed_at; ///< the frame (by seq) from which the ledger counts, if not from the first
  bool finished_before = false;            ///< in an earlier life of the head; nothing was done
  std::vector<std::string> outputs;        ///< what its sinks write
  std::optional<core::error> error;        ///< why its source or a sink ended early
  bool guest = false;                      ///< it came while the program ran
  bool job = false;                        ///< a guest with a sink of its own
  double frames_per_s = 0;                 ///< delivered, of the last seconds
  core::seconds latency_p50{0};            ///< capture to delivery, of the last seconds; 0 where there was none
  core::seconds latency_p99{0};
};

/// Whether its frames come whatever is done with them, and not as fast as they are taken.
[[nodiscard]] constexpr bool comes_anyway(const stream_report& stream) noexcept {
  return !stream.lossless || !stream.finite;
}

/// Where one worker stands.
struct worker_report {
  std::string name;
  std::vector<std::string> stages;
  std::string role;
  std::string metrics; ///< address of its metrics as others reach it; empty: none
  core::worker_phase phase = core::worker_phase::ready;
  std::uint32_t bulk = 0;             ///< lossless segments that it holds
  std::uint32_t live = 0;             ///< live streams that have their place there
  std::uint32_t requests = 0;         ///< pictures with a deadline that it holds
  std::uint32_t credit = 0;           ///< lossless segments that it would still take
  std::uint32_t bulk_segments = 0;    ///< of those it takes at a time
  std::uint32_t live_streams = 0;     ///< that it takes at a time
  std::optional<core::seconds> heard; ///< since its last sign of life; none for the one of this process
};

/// The ledger of what has no stream of its own.
struct ledger_report {
  std::string id;
  dispatch::ledger ledger;
};

/// Where everything stands.
struct run_report {
  std::vector<stream_report> streams; ///< in the order of the topology; guests follow
  std::vector<ledger_report> others;  ///< where the program has a door
  std::vector<worker_report> workers; ///< also those that take no leases, or not yet
  std::vector<pool_report> pools;
  std::optional<std::string> failure; ///< of the program itself
  bool shutting_down = false;
  bool abandoned = false; ///< a source or a sink hangs, so the process cannot end in an orderly way

  /// Whether a lossless stream lost frames that nobody chose to lose, or the program failed.
  [[nodiscard]] bool lost_something() const;
};

} // namespace penstock::actors
