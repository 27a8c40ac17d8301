#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/error.hpp"
#include "core/time.hpp"

namespace penstock::dispatch {

/// What gives when a stream brings more than can be processed.
enum class stream_policy : std::uint8_t {
  live,     ///< frames are shed, so that results stay fresh
  lossless, ///< the source is held back, so that no frame is lost
  request,  ///< one picture for which somebody waits, until its deadline
};

/// How much of a stream may be under way.
struct stream_limits {
  stream_policy policy = stream_policy::lossless;

  /// Live: wanted frames without a result; further ones are not inferred (`shed`).
  std::size_t queue = 32;
  /// Live: beyond half this age of the oldest frame without a result new frames are not inferred; beyond all of it
  /// everything up to the next keyframe is dropped (`shed`).
  std::chrono::milliseconds max_lag{1000};
  /// Live: with a frame older than this on its worker, the stream's next segment moves to another.
  std::chrono::milliseconds steal_after{500};

  /// Lossless: frames read and not yet passed on in order, at least `min_read_ahead`.
  std::size_t read_ahead = 1000;
  /// Lossless: bytes of packets read and not processed; yields to `min_read_ahead`.
  std::size_t read_ahead_bytes = 24U << 20U;

  /// Request: from then on nobody waits any more, and what has no result is dropped (`deadline`). Without one somebody
  /// waits for ever. Others have none.
  std::optional<core::time_point> deadline;

  [[nodiscard]] core::expected<void> validate() const;
};

/// Frames that a lossless source may always have under way: more than any decoder holds back.
inline constexpr std::size_t min_read_ahead = 32;

/// Limits that hold for all streams.
struct dispatcher_config {
  /// A worker silent for longer is dead. Longer rides out hiccups, and delays what a dead worker held.
  std::chrono::milliseconds lease_timeout{3'000};
  /// A worker that is alive and brings neither result nor end of a segment for this long loses that segment.
  std::chrono::milliseconds stall_timeout{60'000};
  /// Failures after which a segment is put aside (see `dispatcher`).
  std::uint32_t attempts = 3;
  /// Beyond this many bytes of one segment its processed beginning is let go, so an endless group of pictures needs no
  /// endless memory. Costs: when its worker dies, the rest of that segment is dropped (`poison`).
  std::size_t segment_retain_bytes = 64U << 20U;
  /// Requests that a worker has at a time, beside its lossless segments and live streams. More keeps workers busy over
  /// long links; fewer leaves the choice of the next one, by deadline, to the head for longer.
  std::uint32_t requests_per_worker = 16;

  [[nodiscard]] core::expected<void> validate() const;
};

} // namespace penstock::dispatch
