#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/result.hpp"

namespace penstock::scaling::simulator {

/// A live stream while it is there, in seconds from the beginning.
struct camera {
  double from_s = 0;
  double until_s = 0;

  bool operator==(const camera&) const = default;
};

/// How arrivals lie within a second.
enum class spread : unsigned char {
  uniform, ///< as many as the trace says, at random moments
  poisson, ///< as many as the trace says on average, independently of each other
};

/// What there is to do, second by second: pictures of requests that come by themselves, or frames of cameras.
struct load {
  std::string name;
  std::vector<double> arrivals; ///< requests in each second; need not be whole numbers. Empty where cameras are
  spread within = spread::poisson;
  std::vector<camera> cameras;
  double frames_per_s = 0; ///< of each camera
  double length_s = 0;

  [[nodiscard]] bool has_cameras() const noexcept { return frames_per_s > 0; }

  /// Items in each second, as far as they are known beforehand.
  [[nodiscard]] std::vector<double> items() const;
  /// Cameras that are on in each second; empty without cameras.
  [[nodiscard]] std::vector<int> streams() const;
  /// Items per second.
  [[nodiscard]] double mean() const;

  bool operator==(const load&) const = default;
};

/// The same load with all arrivals (or the rate of the cameras) times `factor`.
[[nodiscard]] load scaled(load what, double factor);

// ---- made up, from a seed. `mean_per_s`: items per second on average.

/// The same rate for all of the time.
[[nodiscard]] load steady(double mean_per_s, double length_s);

/// A day in `day_s` seconds: a sine between a quiet night (`swing` below the mean) and a busy noon, with noise of 5 %
/// that lasts for minutes.
[[nodiscard]] load diurnal(double mean_per_s, double length_s, double day_s, double swing, std::uint64_t seed);

/// Two rates in turn: `peak` times the lower one for bursts of 30 s to 3 min, about one every ten minutes.
[[nodiscard]] load burst(double mean_per_s, double length_s, double peak, std::uint64_t seed);

/// Quiet, but for one crowd: within 30 s the rate rises to `peak` times what it was, and halves every ten minutes.
[[nodiscard]] load flash_crowd(double mean_per_s, double length_s, double peak, std::uint64_t seed);

/// So many cameras, of which the share `always` is there all the time, and the others come in the first third of it and
/// go in the last one, at random moments.
[[nodiscard]] load camera_fleet(std::size_t cameras, double frames_per_s, double length_s, double always,
                                std::uint64_t seed);

/// Reads what a user writes: `KIND[,KEY=VALUE…]`, e.g. `burst,mean=200,length=4h,seed=3`. Loads last an hour, and
/// `diurnal` a `day` of 24 h, unless a length is given. Errors: `invalid_argument`, with the keys that there are.
[[nodiscard]] core::expected<load> parse_load(const std::string& text);

} // namespace penstock::scaling::simulator
