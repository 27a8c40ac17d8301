#pragma once

#include <cstdint>
#include <vector>

#include "core/packet.hpp"

namespace penstock::dispatch {

/// Chooses before decoding which frames of a stream are wanted when fewer than all are asked for: the frame on display
/// at each instant k / `frames_per_s` (k = …, 0, 1, 2, …) of the stream's own timeline. It looks at time stamps in
/// decode order only, so the choice is the same wherever and however often the stream is decoded.
///
/// A frame takes the instants in [pts - d/8, pts + d - d/16) that no other frame took, where d is its duration, else
/// 1 / the nominal rate, else a running estimate from dts (at most one second, or one period of `frames_per_s` if that
/// is longer); it is wanted if it takes any. (The interval sits a little early, so that rounded time stamps never move
/// an instant to the neighbour, and overlaps the next one a little, so that rounding leaves no hole.) A step in dts of
/// more than 1.5 times the durations of this frame and the one before is a stall: the frame also takes the instants
/// that the stall left over. A frame of which no duration is known takes the last instant before it. Time stamps that
/// jump back by more than 16 d + 1 s begin anew.
/// Not thread-safe.
class sampler {
 public:
  /// `frames_per_s`: how many are wanted, 0 for all. `nominal_frames_per_s`: of the stream, 0 when not known.
  explicit sampler(double frames_per_s = 0, double nominal_frames_per_s = 0);

  /// Whether this shown packet's frame is wanted. To be asked once per frame, in decode order.
  [[nodiscard]] bool wanted(const core::packet& packet);

 private:
  struct instants { ///< from first to last, both included
    std::int64_t first = 0;
    std::int64_t last = 0;
  };

  [[nodiscard]] core::media_time duration_of(const core::packet& packet) const;
  [[nodiscard]] double instant(core::media_time t) const;
  [[nodiscard]] bool take(instants wish);
  void forget_before(std::int64_t instant);

  double frames_per_s_;
  core::media_time nominal_{0};
  core::media_time estimate_{0};
  core::media_time last_dts_{0};
  core::media_time last_duration_{0};
  core::media_time max_pts_{0};
  bool started_ = false;
  std::vector<instants> taken_; ///< sorted, disjoint, of the recent past only
};

} // namespace penstock::dispatch
