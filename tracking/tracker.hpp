#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/detection.hpp"
#include "core/error.hpp"
#include "core/time.hpp"

namespace penstock::tracking {

/// How objects are followed from frame to frame.
struct tracking_config {
  /// A name of `tracker_kinds()`: "none"; "iou" (overlap with the last box; cheap, for high frame rates); "sort"
  /// (predicts by Kalman filter and assigns optimally; for crossings and short occlusions).
  std::string kind = "none";
  float min_iou = 0.3F; ///< overlap of a detection with a track's expected box to belong to it; above 0, at most 1
  int max_age = 30;     ///< a track ends when more than this many updates in a row did not see it; at least 0
  int min_hits = 3; ///< an object gets its id at this many sightings in a row, so that flickers get none; at least 1
  [[nodiscard]] core::expected<void> validate() const;

  bool operator==(const tracking_config&) const = default;
};

/// Follows the objects of one stream. Not thread-safe; one per stream.
class tracker {
 public:
  virtual ~tracker() = default;

  /// Sets `track` of each object: ids count from 1 in the order of confirmation, are unique within the stream and
  /// never used again; `core::no_track` for an object that is not confirmed yet. Objects are matched within their
  /// class, and neither added, removed nor reordered. Frames come in presentation order; frames left out (dropped,
  /// sampled) are allowed and `pts` bridges them.
  virtual void update(core::media_time pts, std::vector<core::detection>& objects) = 0;
};

/// The names that `tracking_config::kind` may have.
[[nodiscard]] std::vector<std::string_view> tracker_kinds();

/// A tracker for one stream; bad_config as `tracking_config::validate`.
[[nodiscard]] core::expected<std::unique_ptr<tracker>> make_tracker(const tracking_config& config);

} // namespace penstock::tracking
