#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "dispatch/ledger.hpp"

namespace penstock::actors {

enum class stream_phase : std::uint8_t { waiting, opening, running, closing, finished };

/// Where one stream stands.
struct stream_report {
  std::string id;
  stream_phase phase = stream_phase::waiting;
  bool lossless = true;
  bool finite = true;
  std::uint64_t frames = 0; ///< how many the source has for this run, an estimate; 0 when not known
  dispatch::ledger ledger;
  std::optional<std::uint64_t> resumed_at; ///< the frame (by seq) from which the ledger counts, if not from the first
  bool finished_before = false;            ///< in an earlier life of the head; nothing was done
  std::vector<std::string> outputs;        ///< what its sinks write
  std::optional<core::error> error;        ///< why its source or a sink ended early
};

/// Where everything stands.
struct run_report {
  std::vector<stream_report> streams; ///< in the order of the topology
  std::optional<std::string> failure; ///< of the program itself
  bool shutting_down = false;
  bool abandoned = false; ///< a source or a sink hangs, so the process cannot end in an orderly way

  /// Whether a lossless stream lost frames that nobody chose to lose, or the program failed.
  [[nodiscard]] bool lost_something() const;
};

} // namespace penstock::actors
