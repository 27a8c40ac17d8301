#include "actors/credit_pool.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace penstock::actors {

namespace {

constexpr std::uint64_t live_grants_in_a_row = 7;

} // namespace

credit_token::~credit_token() { pool_->give_back(live_); }

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
    account(claim.live);
    gauge_.set(static_cast<double>(available_));
  }
  return std::make_shared<const credit_token>(shared_from_this(), claim.live);
}

std::size_t credit_pool::available() const {
  const std::lock_guard lock{mutex_};
  return available_;
}

/// One credit goes out.
void credit_pool::account(bool live) {
  --available_;
  if (live) ++live_out_;
}

credit_pool::grant credit_pool::next_grant() {
  const bool lossless_turn = live_.empty() || (live_in_a_row_ >= live_grants_in_a_row && !lossless_.empty());
  auto& queue = lossless_turn ? lossless_ : live_;
  live_in_a_row_ = lossless_turn ? 0 : live_in_a_row_ + 1;
  grant next{std::move(const_cast<waiter&>(queue.top()).ready), !lossless_turn}; // the order does not look at `ready`
  queue.pop();
  account(next.live);
  return next;
}

void credit_pool::give_back(bool live) {
  std::vector<grant> grants;
  {
    const std::lock_guard lock{mutex_};
    const bool live_about = live_out_ > 0 || !live_.empty();
    ++available_;
    if (live) --live_out_;
    if (live_about || available_ >= burst_) {
      while (available_ > 0 && (!live_.empty() || !lossless_.empty())) grants.push_back(next_grant());
    }
    gauge_.set(static_cast<double>(available_));
  }
  for (auto& next : grants) next.ready(std::make_shared<const credit_token>(shared_from_this(), next.live));
}

} // namespace penstock::actors
