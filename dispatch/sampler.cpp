#include "dispatch/sampler.hpp"

#include <algorithm>
#include <cmath>

namespace penstock::dispatch {

namespace {

using core::media_time;
using std::chrono::seconds;

/// Far above the rounding of doubles, far below a microsecond's part of a period.
constexpr double tolerance = 1e-6;

media_time period(double per_s) { return per_s > 0 ? media_time{std::llround(1e6 / per_s)} : media_time{0}; }

} // namespace

sampler::sampler(double frames_per_s, double nominal_frames_per_s)
    : frames_per_s_{frames_per_s}, nominal_{period(nominal_frames_per_s)} {}

bool sampler::wanted(const core::packet& packet) {
  if (frames_per_s_ <= 0) return true;

  const auto step = started_ ? packet.dts - last_dts_ : media_time{0};
  if (step > media_time{0})
    estimate_ = estimate_ == media_time{0} ? step : estimate_ + (std::min(step, 2 * estimate_) - estimate_) / 8;
  last_dts_ = packet.dts;

  const auto d = duration_of(packet);
  const auto memory = 16 * d + seconds{1};
  if (!started_ || packet.pts < max_pts_ - memory) {
    taken_.clear();
    max_pts_ = packet.pts;
  }
  started_ = true;
  max_pts_ = std::max(max_pts_, packet.pts);
  forget_before(static_cast<std::int64_t>(std::floor(instant(max_pts_ - memory))));

  if (d == media_time{0}) {
    const auto last = static_cast<std::int64_t>(std::floor(instant(packet.pts) + tolerance));
    return take({last, last});
  }
  const auto expected = std::max(d, last_duration_);
  last_duration_ = packet.duration;
  const auto stall = 2 * step > 3 * expected ? step - d : media_time{0};
  const auto first = instant(packet.pts - d / 8 - stall);
  const auto end = instant(packet.pts + d - d / 16);
  return take({static_cast<std::int64_t>(std::ceil(first - tolerance)),
               static_cast<std::int64_t>(std::ceil(end - tolerance)) - 1});
}

media_time sampler::duration_of(const core::packet& packet) const {
  const auto known = packet.duration > media_time{0} ? packet.duration
                     : nominal_ > media_time{0}      ? nominal_
                                                     : estimate_;
  return std::min(known, std::max<media_time>(seconds{1}, period(frames_per_s_)));
}

double sampler::instant(media_time t) const { return static_cast<double>(t.count()) * frames_per_s_ / 1e6; }

bool sampler::take(instants wish) {
  if (wish.first > wish.last) return false;
  // The ranges from `begin` to `end` overlap the wish or touch it: all become one.
  auto begin =
      std::partition_point(taken_.begin(), taken_.end(), [&](const instants& r) { return r.last < wish.first - 1; });
  auto end = begin;
  auto merged = wish;
  for (; end != taken_.end() && end->first <= wish.last + 1; ++end) {
    if (end->first <= wish.first && end->last >= wish.last) return false;
    merged = {std::min(merged.first, end->first), std::max(merged.last, end->last)};
  }
  if (begin == end) {
    taken_.insert(begin, merged);
  } else {
    *begin = merged;
    taken_.erase(begin + 1, end);
  }
  return true;
}

void sampler::forget_before(std::int64_t instant) {
  const auto keep = std::find_if(taken_.begin(), taken_.end(), [&](const instants& r) { return r.last >= instant; });
  taken_.erase(taken_.begin(), keep);
  if (!taken_.empty()) taken_.front().first = std::max(taken_.front().first, instant);
}

} // namespace penstock::dispatch
