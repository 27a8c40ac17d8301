#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scaling/simulator/load.hpp"
#include "scaling/simulator/random.hpp"
#include "scaling/simulator/virtual_time.hpp"

namespace penstock::scaling::simulator {

/// When requests come: one after the other, made a second at a time.
class request_arrivals {
 public:
  /// `what` must outlive it.
  request_arrivals(const load& what, std::uint64_t seed);

  /// When the next one comes; `never_us` after the last one.
  [[nodiscard]] std::int64_t next_us() const noexcept { return at_ < now_.size() ? now_[at_] : never_us; }
  void pop();

 private:
  void fill();

  const load& what_;
  random rng_;
  std::size_t second_ = 0;        ///< the next one to be made
  std::vector<std::int64_t> now_; ///< of the second made last, in order
  std::size_t at_ = 0;
};

/// When cameras bring frames: each at its own phase of a common period, so that the order is the same in every period.
/// They are numbered in that order.
class camera_frames {
 public:
  camera_frames(const load& what, std::uint64_t seed);

  [[nodiscard]] std::int64_t next_us() const noexcept { return next_us_; }
  /// The camera of the next frame.
  [[nodiscard]] std::uint32_t camera() const noexcept { return ring_[at_].camera; }
  /// Whether it is the camera's last one.
  [[nodiscard]] bool is_last() const noexcept { return next_us_ + period_us_ >= ring_[at_].until_us; }
  void pop();

  [[nodiscard]] std::int64_t period_us() const noexcept { return period_us_; }

 private:
  struct turn {
    std::int64_t phase_us;
    std::int64_t from_us;
    std::int64_t until_us;
    std::uint32_t camera;
  };
  void find();

  std::int64_t period_us_;
  std::vector<turn> ring_; ///< by phase
  std::size_t at_ = 0;
  std::int64_t base_us_ = 0; ///< when the present period began
  std::int64_t end_us_ = 0;
  std::int64_t next_us_ = never_us;
};

} // namespace penstock::scaling::simulator
