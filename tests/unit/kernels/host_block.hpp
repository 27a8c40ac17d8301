#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>

/// Blocks and warps of threads on the CPU (see kernels/decode_sort.hpp and decode_scan.hpp): one lane after another, in
/// an order that is shuffled for every phase, so that what depends on the order fails a test.
namespace penstock::tests {

template <unsigned Lanes>
class lane_order {
 public:
  explicit lane_order(unsigned seed) : random_{seed} { std::iota(lanes_.begin(), lanes_.end(), 0U); }

  const std::array<unsigned, Lanes>& next() {
    const auto r = random_();
    if (r % 3 == 0) std::ranges::reverse(lanes_);
    if (r % 3 == 1) std::rotate(lanes_.begin(), lanes_.begin() + r / 3 % Lanes, lanes_.end());
    for (int i = 0; i < 8; ++i) std::swap(lanes_[random_() % Lanes], lanes_[random_() % Lanes]);
    return lanes_;
  }

 private:
  std::minstd_rand random_;
  std::array<unsigned, Lanes> lanes_{};
};

template <unsigned Lanes>
class host_block {
 public:
  static constexpr unsigned lanes = Lanes;

  explicit host_block(unsigned seed = 1) : order_{seed} {}

  template <class F>
  void each(const F& f) {
    for (const auto lane : order_.next()) f(lane);
  }

  template <class F>
  void ballots(const F& f, std::uint32_t* words) {
    std::array<std::uint32_t, Lanes / 32> result{};
    for (const auto lane : order_.next())
      if (f(lane)) result[lane / 32] |= 1U << (lane % 32);
    std::ranges::copy(result, words);
  }

  std::uint32_t add(std::uint32_t& n, std::uint32_t x) { return std::exchange(n, n + x); }
  std::uint32_t append(std::uint32_t& n) { return n++; }
  void lower(std::uint64_t& m, std::uint64_t x) { m = std::min(m, x); }
  void raise(std::uint64_t& m, std::uint64_t x) { m = std::max(m, x); }

 private:
  lane_order<Lanes> order_;
};

class host_warp {
 public:
  static constexpr unsigned lanes = 32;

  template <class T>
  using local = std::array<T, 32>;

  explicit host_warp(unsigned seed = 1) : order_{seed} {}

  template <class F>
  void each(const F& f) {
    for (const auto lane : order_.next()) f(lane);
  }

  template <class F>
  std::uint32_t ballot(const F& f) {
    std::uint32_t word = 0;
    for (const auto lane : order_.next())
      if (f(lane)) word |= 1U << lane;
    return word;
  }

  std::uint32_t reserve(std::uint32_t& n, std::uint32_t x) { return std::exchange(n, n + x); }

 private:
  lane_order<32> order_;
};

} // namespace penstock::tests
