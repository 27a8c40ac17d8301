#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "tracking/assignment.hpp"
#include "tracking/kalman.hpp"
#include "tracking/overlap.hpp"
#include "tracking/track_life.hpp"
#include "tracking/trackers.hpp"

namespace penstock::tracking {

namespace {

/// Time between updates in frames, so that frames left out are bridged: the unit is the stream's usual interval.
class frame_clock {
 public:
  double advance(core::media_time pts) noexcept {
    const auto before = std::exchange(last_, pts);
    if (!before || pts <= *before) return 1;
    const auto interval = static_cast<double>((pts - *before).count());
    if (usual_ == 0) usual_ = interval;
    const auto frames = std::clamp(interval / usual_, 0.25, 10.0);
    usual_ += smoothing * (std::min(interval, 2 * usual_) - usual_);
    return frames;
  }

 private:
  static constexpr double smoothing = 0.1;
  std::optional<core::media_time> last_;
  double usual_ = 0; ///< microseconds
};

struct sort_track {
  box_filter filter;
  core::box expected;
  std::int32_t class_index;
  track_life life;
  bool matched = false;
};

class sort_tracker final : public tracker {
 public:
  explicit sort_tracker(const tracking_config& config) : config_{config} {}

  void update(core::media_time pts, std::vector<core::detection>& objects) override {
    const auto frames = clock_.advance(pts);
    for (auto& t : tracks_) {
      t.expected = t.filter.predict(frames);
      t.matched = false;
    }
    const auto track_of = match(objects);
    for (std::size_t i = 0; i < objects.size(); ++i) {
      auto& o = objects[i];
      const bool known = track_of[i] != unassigned;
      auto& t = known ? tracks_[track_of[i]]
                      : tracks_.emplace_back(sort_track{box_filter{o.box}, o.box, o.class_index, track_life{}});
      if (known) t.filter.correct(o.box);
      t.matched = true;
      t.life.seen(config_, next_id_);
      o.track = t.life.id();
    }
    std::erase_if(tracks_, [&](sort_track& t) { return !t.matched && t.life.missed(config_); });
  }

 private:
  /// The track of each object.
  [[nodiscard]] std::vector<std::size_t> match(const std::vector<core::detection>& objects) const {
    std::vector<std::size_t> track_of(objects.size(), unassigned);
    std::set<std::int32_t> classes;
    for (const auto& o : objects) classes.insert(o.class_index);
    for (const auto class_index : classes) match_class(class_index, objects, track_of);
    return track_of;
  }

  void match_class(std::int32_t class_index, const std::vector<core::detection>& objects,
                   std::vector<std::size_t>& track_of) const {
    std::vector<std::size_t> tracks;
    for (std::size_t t = 0; t < tracks_.size(); ++t)
      if (tracks_[t].class_index == class_index) tracks.push_back(t);
    std::vector<std::size_t> members;
    for (std::size_t o = 0; o < objects.size(); ++o)
      if (objects[o].class_index == class_index) members.push_back(o);

    std::vector<double> gains;
    for (const auto o : members) {
      for (const auto t : tracks) {
        const auto iou = overlap(tracks_[t].expected, objects[o].box);
        gains.push_back(iou >= config_.min_iou ? iou : 0);
      }
    }
    const auto column_of = assign(gains, members.size(), tracks.size());
    for (std::size_t i = 0; i < members.size(); ++i)
      if (column_of[i] != unassigned) track_of[members[i]] = tracks[column_of[i]];
  }

  tracking_config config_;
  frame_clock clock_;
  std::vector<sort_track> tracks_;
  std::int64_t next_id_ = 1;
};

} // namespace

std::unique_ptr<tracker> make_sort_tracker(const tracking_config& config) {
  return std::make_unique<sort_tracker>(config);
}

} // namespace penstock::tracking
