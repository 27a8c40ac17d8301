#include "gateway/policy/rate_limiter.hpp"

#include <algorithm>
#include <iterator>

namespace penstock::gateway::policy {

rate_limiter::rate_limiter(rate_options limit, std::size_t most_keys)
    : limit_{limit}, most_keys_{most_keys}, shared_{limit.burst, {}} {}

core::seconds rate_limiter::take(std::string_view key, core::time_point now) {
  if (limit_.per_s <= 0) return core::seconds{0};
  auto& b = bucket_of(key, now);
  refill(b, now);
  if (b.level >= 1) {
    b.level -= 1;
    return core::seconds{0};
  }
  return core::seconds{(1 - b.level) / limit_.per_s};
}

rate_limiter::bucket& rate_limiter::bucket_of(std::string_view key, core::time_point now) {
  if (const auto found = buckets_.find(key); found != buckets_.end()) return found->second;
  if (buckets_.size() >= most_keys_) forget_full(now);
  if (buckets_.size() >= most_keys_) return shared_;
  return buckets_.emplace(std::string{key}, bucket{limit_.burst, now}).first->second;
}

void rate_limiter::refill(bucket& b, core::time_point now) const {
  if (now <= b.at) return;
  b.level = std::min(limit_.burst, b.level + core::seconds{now - b.at}.count() * limit_.per_s);
  b.at = now;
}

void rate_limiter::forget_full(core::time_point now) {
  // A full bucket is as good as none. Looking for them costs as much as there are keys: once a second at most.
  if (now - swept_ < std::chrono::seconds{1} && swept_ != core::time_point{}) return;
  swept_ = now;
  for (auto at = buckets_.begin(); at != buckets_.end();) {
    refill(at->second, now);
    at = at->second.level >= limit_.burst ? buckets_.erase(at) : std::next(at);
  }
}

} // namespace penstock::gateway::policy
