#include "tracking/kalman.hpp"

#include <algorithm>
#include <cmath>

namespace penstock::tracking {

namespace {

constexpr double position_noise = 1;
constexpr double velocity_noise = 0.01;
constexpr double area_velocity_noise = 0.0001;
constexpr double position_variance = 1; ///< of measurements
constexpr double shape_variance = 10;   ///< of measured areas and aspects
constexpr double first_variance = 10;
constexpr double first_velocity_variance = 10'000; ///< velocities are unknown at first
constexpr double smallest_side_px = 1e-3;          ///< keeps areas and aspects of empty boxes finite

struct measurement {
  double x, y, area, aspect;
};

measurement measure(const core::box& b) noexcept {
  const auto w = std::max<double>(b.w, smallest_side_px);
  const auto h = std::max<double>(b.h, smallest_side_px);
  return {b.x + w / 2, b.y + h / 2, w * h, w / h};
}

} // namespace

void motion_filter::predict(double dt, double value_noise, double velocity_noise_per_frame) noexcept {
  value += velocity * dt;
  value_variance += dt * (2 * covariance + dt * velocity_variance) + value_noise * dt;
  covariance += dt * velocity_variance;
  velocity_variance += velocity_noise_per_frame * dt;
}

void motion_filter::correct(double measured, double variance) noexcept {
  const auto innovation = measured - value;
  const auto gain = value_variance / (value_variance + variance);
  const auto velocity_gain = covariance / (value_variance + variance);
  value += gain * innovation;
  velocity += velocity_gain * innovation;
  velocity_variance -= velocity_gain * covariance;
  covariance *= 1 - gain;
  value_variance *= 1 - gain;
}

box_filter::box_filter(const core::box& box) noexcept {
  const auto m = measure(box);
  x_ = {m.x, 0, first_variance, 0, first_velocity_variance};
  y_ = {m.y, 0, first_variance, 0, first_velocity_variance};
  area_ = {m.area, 0, first_variance, 0, first_velocity_variance};
  aspect_ = {m.aspect, 0, first_variance, 0, 0};
}

core::box box_filter::predict(double dt) noexcept {
  if (area_.value + area_.velocity * dt <= 0) area_.velocity = 0; // would shrink to nothing
  x_.predict(dt, position_noise, velocity_noise);
  y_.predict(dt, position_noise, velocity_noise);
  area_.predict(dt, position_noise, area_velocity_noise);
  aspect_.predict(dt, position_noise, 0);
  return box();
}

void box_filter::correct(const core::box& box) noexcept {
  const auto m = measure(box);
  x_.correct(m.x, position_variance);
  y_.correct(m.y, position_variance);
  area_.correct(m.area, shape_variance);
  aspect_.correct(m.aspect, shape_variance);
}

core::box box_filter::box() const noexcept {
  const auto area = std::max(area_.value, smallest_side_px * smallest_side_px);
  const auto w = std::sqrt(area * std::max(aspect_.value, smallest_side_px));
  const auto h = area / w;
  return {static_cast<float>(x_.value - w / 2), static_cast<float>(y_.value - h / 2), static_cast<float>(w),
          static_cast<float>(h)};
}

} // namespace penstock::tracking
