#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace penstock::dispatch {

/// Items numbered one after the other, of which old ones go and new ones come: a deque in one block of memory that is
/// indexed by the items' own numbers. Pushing and popping are O(1) amortised.
template <class T>
class window {
 public:
  window() = default;
  /// `first`: number of the first item to come.
  explicit window(std::uint64_t first) noexcept : first_{first} {}

  [[nodiscard]] bool empty() const noexcept { return skipped_ == items_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return items_.size() - skipped_; }
  /// Number of the oldest item there is, or of the next one to come.
  [[nodiscard]] std::uint64_t first() const noexcept { return first_; }
  /// One past the number of the newest item.
  [[nodiscard]] std::uint64_t end_number() const noexcept { return first_ + size(); }
  [[nodiscard]] bool contains(std::uint64_t n) const noexcept { return n >= first_ && n < end_number(); }

  [[nodiscard]] T& operator[](std::uint64_t n) noexcept { return items_[skipped_ + (n - first_)]; }
  [[nodiscard]] const T& operator[](std::uint64_t n) const noexcept { return items_[skipped_ + (n - first_)]; }
  [[nodiscard]] T& front() noexcept { return items_[skipped_]; }
  [[nodiscard]] T& back() noexcept { return items_.back(); }

  void push_back(T item) { items_.push_back(std::move(item)); }

  void pop_front() {
    items_[skipped_++] = T{};
    ++first_;
    if (skipped_ == items_.size()) {
      items_.clear();
      skipped_ = 0;
    } else if (skipped_ * sizeof(T) >= least_gap_bytes && 2 * skipped_ >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(skipped_));
      skipped_ = 0;
    }
  }

  /// Drops all items; numbers go on.
  void clear() noexcept {
    first_ = end_number();
    items_.clear();
    skipped_ = 0;
  }

  [[nodiscard]] auto begin() noexcept { return items_.begin() + static_cast<std::ptrdiff_t>(skipped_); }
  [[nodiscard]] auto end() noexcept { return items_.end(); }
  [[nodiscard]] auto begin() const noexcept { return items_.begin() + static_cast<std::ptrdiff_t>(skipped_); }
  [[nodiscard]] auto end() const noexcept { return items_.end(); }

 private:
  /// Moving items up for less costs more than it frees; waiting longer spreads the few items of a stream over more
  /// memory, which thousands of streams cannot keep in the caches.
  static constexpr std::size_t least_gap_bytes = 512;

  std::vector<T> items_;
  std::size_t skipped_ = 0;
  std::uint64_t first_ = 0;
};

} // namespace penstock::dispatch
