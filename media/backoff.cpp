#include "media/backoff.hpp"

#include <algorithm>
#include <cmath>

namespace penstock::media {

std::chrono::milliseconds backoff::wait(double random) {
  const double first = static_cast<double>(config_.first.count());
  const double longest = static_cast<double>(config_.longest.count());
  const double full = std::min(longest, first * std::pow(config_.factor, attempts_));
  ++attempts_;
  return std::chrono::milliseconds{std::llround(full * (1 - config_.jitter * random))};
}

} // namespace penstock::media
