#pragma once

#include <algorithm>
#include <chrono>

namespace penstock::transport {

/// When to ask whether a connection is over that may be. ZeroMQ's monitor is ahead of its routing table, by seconds
/// when a thousand connections end at once, and descriptors are used again: only sending tells, and a connection that
/// is sound after all is asked a few times in all.
class doubt {
 public:
  using clock = std::chrono::steady_clock;
  using milliseconds = std::chrono::milliseconds;

  explicit doubt(clock::time_point now) : next_{now}, end_{now + longest} {}

  [[nodiscard]] bool is_due(clock::time_point now) const noexcept { return now >= next_; }
  /// Enough was asked.
  [[nodiscard]] bool is_over(clock::time_point now) const noexcept { return now >= end_; }
  /// Until it is due; 0 when it is.
  [[nodiscard]] milliseconds wait(clock::time_point now) const noexcept {
    return std::max(std::chrono::ceil<milliseconds>(next_ - now), milliseconds{0});
  }

  /// It seems sound: ask later.
  void put_off(clock::time_point now) noexcept {
    next_ = now + interval_;
    interval_ = std::min(2 * interval_, longest_interval);
  }
  /// It is over, and what came before its end has `longest_rest` to be received.
  void confirm(clock::time_point now) noexcept {
    end_ = std::min(end_, now + longest_rest);
    next_ = now + shortest_interval;
  }

 private:
  static constexpr milliseconds longest{10'000};
  static constexpr milliseconds longest_rest{200};
  static constexpr milliseconds shortest_interval{5};
  static constexpr milliseconds longest_interval{1000};

  clock::time_point next_;
  clock::time_point end_;
  milliseconds interval_ = shortest_interval;
};

} // namespace penstock::transport
