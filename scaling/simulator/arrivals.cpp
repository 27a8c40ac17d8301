#include "scaling/simulator/arrivals.hpp"

#include <algorithm>

namespace penstock::scaling::simulator {

request_arrivals::request_arrivals(const load& what, std::uint64_t seed) : what_{what}, rng_{seed} { fill(); }

void request_arrivals::pop() {
  if (++at_ == now_.size()) fill();
}

/// The next second that has any.
void request_arrivals::fill() {
  now_.clear();
  at_ = 0;
  while (now_.empty() && second_ < what_.arrivals.size()) {
    const auto rate = what_.arrivals[second_];
    const auto begin_us = static_cast<std::int64_t>(second_) * 1'000'000;
    const auto add = [&](double at_s) {
      now_.push_back(begin_us + std::min<std::int64_t>(static_cast<std::int64_t>(at_s * 1e6), 999'999));
    };
    if (what_.within == spread::uniform) {
      for (auto n = rng_.rounded(rate); n > 0; --n) add(rng_.uniform());
      std::sort(now_.begin(), now_.end());
    } else if (rate > 0) {
      for (auto at = rng_.exponential(1 / rate); at < 1; at += rng_.exponential(1 / rate)) add(at);
    }
    ++second_;
  }
}

camera_frames::camera_frames(const load& what, std::uint64_t seed)
    : period_us_{std::max<std::int64_t>(1, to_us(1 / what.frames_per_s))}, end_us_{to_us(what.length_s)} {
  random rng{seed};
  std::vector<std::int64_t> phases(what.cameras.size());
  for (auto& phase : phases) phase = static_cast<std::int64_t>(rng.uniform() * static_cast<double>(period_us_));
  std::ranges::sort(phases); // neighbours in time are neighbours in memory
  for (std::uint32_t i = 0; i < what.cameras.size(); ++i) {
    const auto& c = what.cameras[i];
    ring_.push_back({phases[i], to_us(c.from_s), std::min(end_us_, to_us(c.until_s)), i});
  }
  find();
}

void camera_frames::pop() {
  if (++at_ == ring_.size()) {
    at_ = 0;
    base_us_ += period_us_;
  }
  find();
}

/// The next frame of a camera that is on.
void camera_frames::find() {
  while (!ring_.empty() && base_us_ < end_us_) {
    const auto& next = ring_[at_];
    next_us_ = base_us_ + next.phase_us;
    if (next_us_ >= next.from_us && next_us_ < next.until_us) return;
    if (++at_ == ring_.size()) {
      at_ = 0;
      base_us_ += period_us_;
    }
  }
  next_us_ = never_us;
}

} // namespace penstock::scaling::simulator
