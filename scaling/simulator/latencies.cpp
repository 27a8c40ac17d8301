#include "scaling/simulator/latencies.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace penstock::scaling::simulator {

void latencies::add(std::int64_t us) noexcept {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
  const auto octave = value < steps ? 0U : static_cast<unsigned>(std::bit_width(value)) - 7;
  const auto at = octave == 0 ? value : octave * steps + ((value >> (octave - 1)) - steps);
  ++counts_[std::min<std::size_t>(at, counts_.size() - 1)];
  ++count_;
  sum_us_ += static_cast<double>(value);
}

double latencies::quantile_s(double q) const noexcept {
  if (count_ == 0) return 0;
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  std::size_t at = 0;
  for (; at + 1 < counts_.size(); ++at)
    if ((seen += counts_[at]) >= rank) break;
  const auto octave = at / steps;
  const auto low = octave == 0 ? at : (steps + at % steps) << (octave - 1);
  const auto width = octave == 0 ? std::size_t{1} : std::size_t{1} << (octave - 1);
  return (static_cast<double>(low) + static_cast<double>(width - 1) / 2) * 1e-6;
}

double latencies::mean_s() const noexcept { return count_ == 0 ? 0 : sum_us_ * 1e-6 / static_cast<double>(count_); }

} // namespace penstock::scaling::simulator
