#include "actors/recent.hpp"

#include <algorithm>
#include <cmath>

namespace penstock::actors {

namespace {

constexpr core::seconds rate_memory{2};
constexpr std::chrono::seconds half_life{5};
constexpr double narrowest_s = 1e-4;
constexpr double growth = 1.12;
constexpr float nothing = 0.02F; ///< weights below are forgotten

} // namespace

double recent_rate::at(std::uint64_t value, core::time_point now) {
  if (!started_) {
    started_ = true;
  } else if (now > when_) {
    const auto passed = core::seconds{now - when_};
    const auto keep = std::exp(-passed.count() / rate_memory.count());
    rate_ = keep * rate_ + (1 - keep) * static_cast<double>(value - value_) / passed.count();
  } else {
    return rate_;
  }
  value_ = value;
  when_ = now;
  return rate_;
}

void recent_latency::fade(core::time_point now) {
  if (faded_ == core::time_point{}) faded_ = now;
  for (; now - faded_ >= half_life; faded_ += half_life) {
    bool any = false;
    for (auto& weight : weights_) {
      weight = weight / 2 < nothing ? 0 : weight / 2;
      any = any || weight > 0;
    }
    if (!any) faded_ = now;
  }
}

void recent_latency::observe(core::seconds latency, core::time_point now) {
  fade(now);
  const auto steps = std::log(std::max(latency.count(), narrowest_s) / narrowest_s) / std::log(growth);
  ++weights_[std::min(static_cast<std::size_t>(steps), buckets - 1)];
}

core::seconds recent_latency::quantile(double q, core::time_point now) {
  fade(now);
  double sum = 0;
  for (const auto weight : weights_) sum += weight;
  if (sum <= 0) return core::seconds{0};
  double below = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    below += weights_[i];
    if (below >= q * sum) return core::seconds{narrowest_s * std::pow(growth, static_cast<double>(i) + 0.5)};
  }
  return core::seconds{narrowest_s * std::pow(growth, static_cast<double>(buckets))};
}

} // namespace penstock::actors
