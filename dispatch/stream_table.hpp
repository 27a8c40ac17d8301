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
///
/// `Id`: of whatever else has ids that are given out once each.
template <class T, class Id = core::stream_id>
class stream_table {
 public:
  [[nodiscard]] T* find(Id id) noexcept {
    const auto at = slot_of(id);
    return at == nowhere ? nullptr : slots_[at].item;
  }
  [[nodiscard]] const T* find(Id id) const noexcept {
    const auto at = slot_of(id);
    return at == nowhere ? nullptr : slots_[at].item;
  }

  /// A stream of this id must not be present.
  T& add(Id id, T item) {
    assert(!find(id));
    if (2 * (rows_.size() + 1) > slots_.size()) resize(std::max(least_slots, 2 * slots_.size()));
    rows_.emplace_back(id, std::make_unique<T>(std::move(item)));
    enter(static_cast<std::uint32_t>(rows_.size() - 1));
    return *rows_.back().second;
  }

  /// Without effect if there is no such stream.
  void erase(Id id) {
    const auto at = slot_of(id);
    if (at == nowhere) return;
    const auto row = slots_[at].row;
    if (row + 1 < rows_.size()) { // the last row takes its place
      slots_[slot_of(rows_.back().first)].row = row;
      std::swap(rows_[row], rows_.back());
    }
    vacate(at);
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

  /// Ids that follow each other share a line of the caches: who came together is often looked after together.
  [[nodiscard]] std::size_t home_of(Id id) const noexcept {
    constexpr std::uint32_t neighbours = 4;
    const auto line = std::hash<Id>{}({id.value / neighbours});
    return (line * neighbours + id.value % neighbours) & (slots_.size() - 1);
  }
  [[nodiscard]] std::size_t after(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }

  [[nodiscard]] std::size_t slot_of(Id id) const noexcept {
    if (slots_.empty()) return nowhere;
    for (auto at = home_of(id);; at = after(at)) {
      if (slots_[at].row == free) return nowhere;
      if (slots_[at].id == id) return at;
    }
  }

  void enter(std::uint32_t row) noexcept {
    const auto& [id, item] = rows_[row];
    auto at = home_of(id);
    while (slots_[at].row != free) at = after(at);
    slots_[at] = {id, row, item.get()};
  }

  /// Frees a slot. Those behind it that would no longer be found move up.
  void vacate(std::size_t gap) noexcept {
    for (auto at = after(gap); slots_[at].row != free; at = after(at)) {
      const auto home = home_of(slots_[at].id);
      const auto mask = slots_.size() - 1;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      slots_[gap] = slots_[at];
      gap = at;
    }
    slots_[gap] = {};
  }

  void resize(std::size_t slots) {
    std::vector<entry> rows;
    rows.reserve(slots / 2);
    std::move(rows_.begin(), rows_.end(), std::back_inserter(rows));
    rows_ = std::move(rows);
    slots_.assign(slots, {});
    slots_.shrink_to_fit();
    for (std::uint32_t i = 0; i < rows_.size(); ++i) enter(i);
  }

  /// What is needed to find an item is all in one place: with thousands of streams each step on the way is a miss of
  /// the caches.
  struct slot {
    Id id;
    std::uint32_t row = free;
    T* item = nullptr;
  };

  using entry = std::pair<Id, std::unique_ptr<T>>;
  std::vector<entry> rows_; ///< without gaps
  std::vector<slot> slots_; ///< open addressing; a power of two of them, at most half in use
};

} // namespace penstock::dispatch
