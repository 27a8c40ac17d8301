#include "media/timeline.hpp"

#include <algorithm>

namespace penstock::media {

using core::media_time;

packet_times timeline::fix(const raw_times& raw) {
  if (raw.duration.count() > 0) step_ = raw.duration;
  const auto stamp = raw.dts ? raw.dts : raw.pts;
  if (stamp) {
    // the announced start is worth nothing when the packets are somewhere else
    if (!last_ && (!start_ || std::chrono::abs(*stamp - *start_) > 10 * jump)) start_ = stamp;
    if (!start_) start_ = *stamp + shift_ - last_->dts - step_; // packets without times came first
    const auto here = *stamp - *start_ + shift_;
    if (last_ && here < last_->dts - jump) shift_ += last_->dts + step_ - here;
  }
  const auto placed = [&](media_time t) { return t - start_.value_or(media_time{0}) + shift_; };

  packet_times times;
  if (raw.dts)
    times.dts = placed(*raw.dts);
  else
    times.dts = last_ ? last_->dts + step_ : raw.pts ? placed(*raw.pts) : shift_;
  if (last_) times.dts = std::max(times.dts, last_->dts);
  times.pts = unique(raw.pts ? placed(*raw.pts) : times.dts);
  last_ = times;
  end_ = std::max(end_, times.pts + step_);
  return times;
}

media_time timeline::unique(media_time pts) {
  const auto used = std::min(count_, recent_.size());
  const auto end = recent_.begin() + static_cast<std::ptrdiff_t>(used);
  while (std::find(recent_.begin(), end, pts) != end) ++pts;
  recent_[count_++ % recent_.size()] = pts;
  return pts;
}

} // namespace penstock::media
