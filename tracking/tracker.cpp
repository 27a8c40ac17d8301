#include "tracking/tracker.hpp"

#include <algorithm>
#include <array>

#include "tracking/trackers.hpp"

namespace penstock::tracking {

namespace {

/// Leaves every object without a track.
class no_tracker final : public tracker {
 public:
  void update(core::media_time /*pts*/, std::vector<core::detection>& objects) override {
    for (auto& o : objects) o.track = core::no_track;
  }
};

std::unique_ptr<tracker> make_no_tracker(const tracking_config& /*config*/) { return std::make_unique<no_tracker>(); }

struct kind {
  std::string_view name;
  std::unique_ptr<tracker> (*make)(const tracking_config&);
};

constexpr std::array kinds{
    kind{"none", make_no_tracker},
    kind{"iou", make_iou_tracker},
    kind{"sort", make_sort_tracker},
};

const kind* find(std::string_view name) noexcept {
  const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const kind& k) { return k.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

} // namespace

core::expected<void> tracking_config::validate() const {
  using core::errc;
  if (find(kind) == nullptr) {
    std::string allowed;
    for (const auto name : tracker_kinds()) allowed += (allowed.empty() ? "" : ", ") + std::string{name};
    return core::fail(errc::bad_config, "kind: " + kind + ": must be one of " + allowed);
  }
  if (!(min_iou > 0 && min_iou <= 1))
    return core::fail(errc::bad_config, "min_iou: " + std::to_string(min_iou) + ": must be above 0 and at most 1");
  if (max_age < 0) return core::fail(errc::bad_config, "max_age: " + std::to_string(max_age) + ": must be at least 0");
  if (min_hits < 1)
    return core::fail(errc::bad_config, "min_hits: " + std::to_string(min_hits) + ": must be at least 1");
  return {};
}

std::vector<std::string_view> tracker_kinds() {
  std::vector<std::string_view> names;
  names.reserve(kinds.size());
  for (const auto& k : kinds) names.push_back(k.name);
  return names;
}

core::expected<std::unique_ptr<tracker>> make_tracker(const tracking_config& config) {
  if (auto valid = config.validate(); !valid) return core::fail("tracking", valid.error());
  return find(config.kind)->make(config);
}

} // namespace penstock::tracking
