#pragma once

#include "core/detection.hpp"

namespace penstock::tracking {

/// Kalman filter of one quantity that moves at constant velocity. Covariances are those of (value, velocity).
struct motion_filter {
  double value = 0;
  double velocity = 0;
  double value_variance = 0;
  double covariance = 0;
  double velocity_variance = 0;

  /// `dt` frames on; the noises are variances added per frame.
  void predict(double dt, double value_noise, double velocity_noise) noexcept;

  /// Takes in a measurement of the value with its variance.
  void correct(double measured, double variance) noexcept;
};

/// Kalman filter of a box by centre, area and aspect ratio (width / height), of which the first three move and the last
/// stays, with the noises of Bewley et al. 2016. That paper's filter has 7 states, but nothing couples the quantities,
/// so it is exactly these four filters.
class box_filter {
 public:
  explicit box_filter(const core::box& box) noexcept;

  /// The box expected `dt` frames on, which becomes the state.
  core::box predict(double dt) noexcept;

  void correct(const core::box& box) noexcept;

  [[nodiscard]] core::box box() const noexcept;

 private:
  motion_filter x_;
  motion_filter y_;
  motion_filter area_;
  motion_filter aspect_;
};

} // namespace penstock::tracking
