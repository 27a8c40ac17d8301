#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

namespace penstock::dispatch {

/// Items numbered one after the other, of which old ones go and new ones come: a ring in one block of memory that is
/// indexed by the items' own numbers. Pushing and popping are O(1) amortised. The block is no larger than twice what
/// was ever in it, and its places are used in turn, so that thousands of windows with few items each fit into the
/// caches.
template <class T>
class window {
  template <class Window, class Item>
  class walk {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = Item*;
    using reference = Item&;

    walk() = default;
    walk(Window& over, std::uint64_t number) noexcept : over_{&over}, number_{number} {}

    Item& operator*() const noexcept { return (*over_)[number_]; }
    Item* operator->() const noexcept { return &(*over_)[number_]; }
    walk& operator++() noexcept {
      ++number_;
      return *this;
    }
    walk operator++(int) noexcept {
      auto before = *this;
      ++number_;
      return before;
    }
    bool operator==(const walk&) const = default;

   private:
    Window* over_ = nullptr;
    std::uint64_t number_ = 0;
  };

 public:
  window() = default;
  /// `first`: number of the first item to come.
  explicit window(std::uint64_t first) noexcept : first_{first} {}

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Number of the oldest item there is, or of the next one to come.
  [[nodiscard]] std::uint64_t first() const noexcept { return first_; }
  /// One past the number of the newest item.
  [[nodiscard]] std::uint64_t end_number() const noexcept { return first_ + size_; }
  [[nodiscard]] bool contains(std::uint64_t n) const noexcept { return n >= first_ && n < end_number(); }

  [[nodiscard]] T& operator[](std::uint64_t n) noexcept { return ring_[place_of(n)]; }
  [[nodiscard]] const T& operator[](std::uint64_t n) const noexcept { return ring_[place_of(n)]; }
  [[nodiscard]] T& front() noexcept { return ring_[place_of(first_)]; }
  [[nodiscard]] T& back() noexcept { return ring_[place_of(end_number() - 1)]; }

  void push_back(T item) {
    if (size_ == ring_.size()) grow();
    ring_[place_of(end_number())] = std::move(item);
    ++size_;
  }

  void pop_front() {
    front() = T{};
    ++first_;
    --size_;
  }

  /// Drops all items; numbers go on.
  void clear() noexcept {
    while (!empty()) pop_front();
  }

  [[nodiscard]] auto begin() noexcept { return walk<window, T>{*this, first_}; }
  [[nodiscard]] auto end() noexcept { return walk<window, T>{*this, end_number()}; }
  [[nodiscard]] auto begin() const noexcept { return walk<const window, const T>{*this, first_}; }
  [[nodiscard]] auto end() const noexcept { return walk<const window, const T>{*this, end_number()}; }

 private:
  [[nodiscard]] std::size_t place_of(std::uint64_t n) const noexcept { return n & (ring_.size() - 1); }

  void grow() {
    std::vector<T> larger(std::max<std::size_t>(1, 2 * ring_.size()));
    for (auto n = first_; n < end_number(); ++n) larger[n & (larger.size() - 1)] = std::move((*this)[n]);
    ring_ = std::move(larger);
  }

  std::vector<T> ring_; ///< a power of two of them; those that are no items are empty ones
  std::size_t size_ = 0;
  std::uint64_t first_ = 0;
};

} // namespace penstock::dispatch
