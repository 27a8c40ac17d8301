#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "core/time.hpp"

namespace penstock::media {

/// The times of one packet as a container gives them, any of which may be missing.
struct raw_times {
  std::optional<core::media_time> pts;
  std::optional<core::media_time> dts;
  core::media_time duration{0};
};

/// The times as `core::packet` promises them.
struct packet_times {
  core::media_time pts{0};
  core::media_time dts{0};
};

/// Makes a stream's timeline out of what containers and cameras say: it starts at an origin, pts is always set and
/// unique among its neighbours, dts never decreases, and a clock that jumps back goes on from where it was.
class timeline {
 public:
  /// `start`: the container's own start time, which becomes `origin`; without it the first packet's time does.
  timeline(core::media_time origin, std::optional<core::media_time> start) : start_{start}, shift_{origin} {}

  [[nodiscard]] packet_times fix(const raw_times& raw);

  /// Where the next stream continues: behind everything so far.
  [[nodiscard]] core::media_time end() const noexcept { return end_; }

 private:
  /// A clock that falls back by less is late packets or rounding, not another clock.
  static constexpr core::media_time jump = std::chrono::seconds{1};

  [[nodiscard]] core::media_time unique(core::media_time pts);

  std::optional<core::media_time> start_;
  core::media_time shift_;
  std::optional<packet_times> last_;
  core::media_time step_{0}; ///< the last duration that was known
  core::media_time end_{0};
  std::array<core::media_time, 32> recent_{}; ///< presentation times, longer ago than any decoder reorders
  std::size_t count_ = 0;
};

} // namespace penstock::media
