#pragma once

#include <cstdint>

#include "core/detection.hpp"
#include "tracking/tracker.hpp"

namespace penstock::tracking {

/// When a track gets its id and when it ends, the same for every kind of tracker.
class track_life {
 public:
  /// An object was matched with the track. `next_id` counts on where the track gets its id.
  void seen(const tracking_config& config, std::int64_t& next_id) noexcept {
    misses_ = 0;
    if (id_ == core::no_track && ++hits_ >= config.min_hits) id_ = next_id++;
  }

  /// No object was matched; returns whether the track is over. Without an id it is over at once.
  [[nodiscard]] bool missed(const tracking_config& config) noexcept {
    return id_ == core::no_track || ++misses_ > config.max_age;
  }

  [[nodiscard]] std::int64_t id() const noexcept { return id_; }

 private:
  std::int64_t id_ = core::no_track;
  int hits_ = 0;
  int misses_ = 0;
};

} // namespace penstock::tracking
