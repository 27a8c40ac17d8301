#include "gateway/policy/admission.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace penstock::gateway::policy {

namespace {

/// What a finished request counts for once 64 more are: enough for a steady figure, few enough to follow a machine that
/// gets slower. Counting requests, not seconds, serves models of 5 ms and of 5 s alike.
const double keep_of_each = std::exp2(-1.0 / 64);
/// Fewer than this are no measurement.
constexpr double enough_served = 3;

} // namespace

double admission::rate_per_s() const noexcept {
  const double busy_s = busy_s_ + pending_s_;
  return served_ < enough_served || busy_s <= 0 ? 0 : served_ / busy_s;
}

void admission::advance(core::time_point now) {
  if (now <= at_) return;
  if (in_flight_ > 0) pending_s_ += core::seconds{now - at_}.count();
  at_ = now;
}

admission::verdict admission::enter(core::time_point now, core::seconds deadline) {
  advance(now);
  verdict v;
  const double rate = rate_per_s();
  v.wait = core::seconds{rate > 0 ? static_cast<double>(in_flight_) / rate : 0};
  const auto bound = std::min<core::seconds>(deadline, options_.max_wait);
  if (in_flight_ < options_.in_flight && v.wait <= bound) {
    v.admitted = true;
    ++in_flight_;
    return v;
  }
  v.retry_after = std::max(v.wait - bound, core::seconds{rate > 0 ? 1 / rate : 1});
  return v;
}

void admission::leave(core::time_point now, bool served) {
  advance(now);
  if (in_flight_ > 0) --in_flight_;
  if (!served) return;
  busy_s_ = busy_s_ * keep_of_each + std::exchange(pending_s_, 0);
  served_ = served_ * keep_of_each + 1;
}

} // namespace penstock::gateway::policy
