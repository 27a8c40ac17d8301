#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace penstock::media {

/// How long to wait between attempts to reach a camera.
struct backoff_config {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest{30'000};
  double factor = 2;   ///< each wait is this many times the one before
  double jitter = 0.3; ///< share of the wait that is random, so that cameras do not return in step
};

/// Exponential backoff with jitter. Pure: the random numbers come from the caller.
class backoff {
 public:
  explicit backoff(const backoff_config& config = {}) : config_{config} {}

  /// How long to wait before the next attempt: between (1 - jitter) and 1 times the exponential wait.
  template <std::uniform_random_bit_generator Rng>
  [[nodiscard]] std::chrono::milliseconds next(Rng& rng) {
    return wait(std::uniform_real_distribution<double>{0, 1}(rng));
  }

  /// It worked: the next failure starts from `first` again.
  void reset() noexcept { attempts_ = 0; }

  /// Failures in a row.
  [[nodiscard]] std::uint32_t attempts() const noexcept { return attempts_; }

 private:
  [[nodiscard]] std::chrono::milliseconds wait(double random);

  backoff_config config_;
  std::uint32_t attempts_ = 0;
};

} // namespace penstock::media
