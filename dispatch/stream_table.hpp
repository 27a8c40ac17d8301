#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "core/ids.hpp"

namespace penstock::dispatch {

/// What is known of each stream that is present, by its id. Ids are given out once each, so this is a hash table: its
/// memory is that of the streams present (at most a few times as much, after there were many), whatever ids they have.
///
/// Finding, adding and erasing are O(1) (amortised). Iteration is linear in the streams present; its order depends only
/// on the calls before it, so a run that is repeated sees the same one. References to an item hold until it is erased.
/// Nothing may be added or erased during an iteration. Not thread-safe.
template <class T>
class stream_table {
 public:
  [[nodiscard]] T* find(core::stream_id id) noexcept {
    const auto slot = slot_of(id);
    return slot == nowhere ? nullptr : rows_[slots_[slot]].second.get();
  }
  [[nodiscard]] const T* find(core::stream_id id) const noexcept {
    const auto slot = slot_of(id);
    return slot == nowhere ? nullptr : rows_[slots_[slot]].second.get();
  }

  /// A stream of this id must not be present.
  T& add(core::stream_id id, T item) {
    assert(!find(id));
    if (2 * (rows_.size() + 1) > slots_.size()) resize(std::max(least_slots, 2 * slots_.size()));
    rows_.emplace_back(id, std::make_unique<T>(std::move(item)));
    enter(static_cast<std::uint32_t>(rows_.size() - 1));
    return *rows_.back().second;
  }

  /// Without effect if there is no such stream.
  void erase(core::stream_id id) {
    const auto slot = slot_of(id);
    if (slot == nowhere) return;
    const auto row = slots_[slot];
    if (row + 1 < rows_.size()) { // the last row takes its place
      slots_[slot_of(rows_.back().first)] = row;
      std::swap(rows_[row], rows_.back());
    }
    vacate(slot);
    rows_.pop_back();
    if (slots_.size() > least_slots && 8 * rows_.size() < slots_.size()) resize(slots_.size() / 2);
  }

  [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
  /// Streams for which there is room in memory now, used or not.
  [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size() / 2; }

  /// Calls `f` with each item.
  template <class F>
  void for_each(F&& f) {
    for (auto& [_, item] : rows_) f(*item);
  }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& [_, item] : rows_) f(std::as_const(*item));
  }

 private:
  static constexpr std::size_t least_slots = 128;
  static constexpr std::size_t nowhere = SIZE_MAX;
  static constexpr std::uint32_t free = UINT32_MAX;

  [[nodiscard]] std::size_t home_of(core::stream_id id) const noexcept {
    return std::hash<core::stream_id>{}(id) & (slots_.size() - 1);
  }
  [[nodiscard]] std::size_t after(std::size_t slot) const noexcept { return (slot + 1) & (slots_.size() - 1); }

  [[nodiscard]] std::size_t slot_of(core::stream_id id) const noexcept {
    if (slots_.empty()) return nowhere;
    for (auto slot = home_of(id);; slot = after(slot)) {
      if (slots_[slot] == free) return nowhere;
      if (rows_[slots_[slot]].first == id) return slot;
    }
  }

  void enter(std::uint32_t row) noexcept {
    auto slot = home_of(rows_[row].first);
    while (slots_[slot] != free) slot = after(slot);
    slots_[slot] = row;
  }

  /// Frees a slot. Those behind it that would no longer be found move up.
  void vacate(std::size_t gap) noexcept {
    for (auto slot = after(gap); slots_[slot] != free; slot = after(slot)) {
      const auto home = home_of(rows_[slots_[slot]].first);
      const auto mask = slots_.size() - 1;
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      slots_[gap] = slots_[slot];
      gap = slot;
    }
    slots_[gap] = free;
  }

  void resize(std::size_t slots) {
    std::vector<entry> rows;
    rows.reserve(slots / 2);
    std::move(rows_.begin(), rows_.end(), std::back_inserter(rows));
    rows_ = std::move(rows);
    slots_.assign(slots, free);
    slots_.shrink_to_fit();
    for (std::uint32_t i = 0; i < rows_.size(); ++i) enter(i);
  }

  using entry = std::pair<core::stream_id, std::unique_ptr<T>>;
  std::vector<entry> rows_;          ///< without gaps
  std::vector<std::uint32_t> slots_; ///< open addressing: indices of rows; a power of two of them, at most half in use
};

} // namespace penstock::dispatch
