#include <algorithm>
#include <cstddef>
#include <tuple>

#include "tracking/overlap.hpp"
#include "tracking/track_life.hpp"
#include "tracking/trackers.hpp"

namespace penstock::tracking {

namespace {

struct iou_track {
  core::box box;
  std::int32_t class_index = 0;
  track_life life;
  bool matched = false;
};

struct pairing {
  float overlap;
  std::size_t track;
  std::size_t object;
};

class iou_tracker final : public tracker {
 public:
  explicit iou_tracker(const tracking_config& config) : config_{config} {}

  void update(core::media_time /*pts*/, std::vector<core::detection>& objects) override {
    const auto track_of = match(objects);
    for (auto& t : tracks_) t.matched = false;
    for (std::size_t i = 0; i < objects.size(); ++i) {
      auto& o = objects[i];
      auto& t = track_of[i] == unmatched ? tracks_.emplace_back() : tracks_[track_of[i]];
      t.box = o.box;
      t.class_index = o.class_index;
      t.matched = true;
      t.life.seen(config_, next_id_);
      o.track = t.life.id();
    }
    std::erase_if(tracks_, [&](iou_track& t) { return !t.matched && t.life.missed(config_); });
  }

 private:
  static constexpr auto unmatched = static_cast<std::size_t>(-1);

  /// The track of each object.
  [[nodiscard]] std::vector<std::size_t> match(const std::vector<core::detection>& objects) const {
    std::vector<pairing> pairings;
    for (std::size_t t = 0; t < tracks_.size(); ++t) {
      for (std::size_t o = 0; o < objects.size(); ++o) {
        if (tracks_[t].class_index != objects[o].class_index) continue;
        const auto iou = overlap(tracks_[t].box, objects[o].box);
        if (iou >= config_.min_iou) pairings.push_back({iou, t, o});
      }
    }
    std::sort(pairings.begin(), pairings.end(), [](const pairing& a, const pairing& b) {
      return std::tuple{-a.overlap, a.track, a.object} < std::tuple{-b.overlap, b.track, b.object};
    });
    std::vector<std::size_t> track_of(objects.size(), unmatched);
    std::vector<bool> taken(tracks_.size());
    for (const auto& p : pairings) {
      if (taken[p.track] || track_of[p.object] != unmatched) continue;
      taken[p.track] = true;
      track_of[p.object] = p.track;
    }
    return track_of;
  }

  tracking_config config_;
  std::vector<iou_track> tracks_;
  std::int64_t next_id_ = 1;
};

} // namespace

std::unique_ptr<tracker> make_iou_tracker(const tracking_config& config) {
  return std::make_unique<iou_tracker>(config);
}

} // namespace penstock::tracking
