#pragma once

#include <memory>

#include "tracking/tracker.hpp"

namespace penstock::tracking {

/// Greedy association by overlap with each track's last box, best overlap first, after Bochinski, Eiselein and Sikora,
/// "High-Speed Tracking-by-Detection Without Using Image Information" (2017).
[[nodiscard]] std::unique_ptr<tracker> make_iou_tracker(const tracking_config& config);

/// Kalman filter and optimal assignment by overlap with each track's predicted box, after Bewley et al., "Simple Online
/// and Realtime Tracking" (2016).
[[nodiscard]] std::unique_ptr<tracker> make_sort_tracker(const tracking_config& config);

} // namespace penstock::tracking
