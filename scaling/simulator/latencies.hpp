#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace penstock::scaling::simulator {

/// How many items took how long, to within 0.8 %. Adding is O(1).
class latencies {
 public:
  void add(std::int64_t us) noexcept;

  /// The time that a share `q` of the items stayed within, in seconds; 0 without items.
  [[nodiscard]] double quantile_s(double q) const noexcept;
  [[nodiscard]] double mean_s() const noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  void clear() noexcept { *this = {}; }

 private:
  // 128 steps between a power of two and the next one; below 128 us each microsecond has its own.
  static constexpr std::size_t steps = 128;
  static constexpr std::size_t octaves = 30;

  std::array<std::uint32_t, steps * octaves> counts_{};
  std::uint64_t count_ = 0;
  double sum_us_ = 0;
};

} // namespace penstock::scaling::simulator
