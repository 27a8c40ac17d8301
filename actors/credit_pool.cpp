#include "actors/credit_pool.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace penstock::actors {

namespace {

constexpr std::uint64_t live_grants_in_a_row = 7;

} // namespace

credit_token::~credit_token() { pool_->give_back(); }

credit_pool::credit_pool(std::size_t credits, metrics::gauge available, std::size_t burst)
    : available_{credits}, burst_{std::min(burst, credits)}, gauge_{available} {
  gauge_.set(static_cast<double>(available_));
}

credit credit_pool::take(const credit_claim& claim, receiver ready) {
  {
    const std::lock_guard lock{mutex_};
    if (available_ == 0 || (!claim.live && !lossless_.empty())) {
      (claim.live ? live_ : lossless_).push(waiter{claim, claims_++, std::move(ready)});
      return nullptr;
    }
    gauge_.set(static_cast<double>(--available_));
  }
  return std::make_shared<const credit_token>(shared_from_this());
}

std::size_t credit_pool::available() const {
  const std::lock_guard lock{mutex_};
  return available_;
}

credit_pool::receiver credit_pool::next_receiver() {
  const bool lossless_turn = live_.empty() || (live_in_a_row_ >= live_grants_in_a_row && !lossless_.empty());
  auto& queue = lossless_turn ? lossless_ : live_;
  live_in_a_row_ = lossless_turn ? 0 : live_in_a_row_ + 1;
  auto ready = std::move(const_cast<waiter&>(queue.top()).ready); // the order does not look at it
  queue.pop();
  return ready;
}

void credit_pool::give_back() {
  std::vector<receiver> ready;
  {
    const std::lock_guard lock{mutex_};
    ++available_;
    if (!live_.empty() || available_ >= burst_) {
      while (available_ > 0 && (!live_.empty() || !lossless_.empty())) {
        ready.push_back(next_receiver());
        --available_;
      }
    }
    gauge_.set(static_cast<double>(available_));
  }
  for (auto& r : ready) r(std::make_shared<const credit_token>(shared_from_this()));
}

} // namespace penstock::actors
