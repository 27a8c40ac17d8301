#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <unordered_map>
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
    const auto at = index_.find(id);
    return at == index_.end() ? nullptr : rows_[at->second].second.get();
  }
  [[nodiscard]] const T* find(core::stream_id id) const noexcept {
    const auto at = index_.find(id);
    return at == index_.end() ? nullptr : rows_[at->second].second.get();
  }

  /// A stream of this id must not be present.
  T& add(core::stream_id id, T item) {
    assert(!find(id));
    rows_.emplace_back(id, std::make_unique<T>(std::move(item)));
    index_.emplace(id, static_cast<std::uint32_t>(rows_.size() - 1));
    return *rows_.back().second;
  }

  /// Without effect if there is no such stream.
  void erase(core::stream_id id) {
    const auto at = index_.find(id);
    if (at == index_.end()) return;
    const auto row = at->second;
    index_.erase(at);
    if (row + 1 < rows_.size()) {
      rows_[row] = std::move(rows_.back());
      index_.find(rows_[row].first)->second = row;
    }
    rows_.pop_back();
    shrink();
  }

  [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
  /// Streams for which there is memory now, used or not.
  [[nodiscard]] std::size_t capacity() const noexcept { return rows_.capacity(); }

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
  static constexpr std::size_t least_capacity = 64;

  void shrink() {
    if (rows_.capacity() <= least_capacity || rows_.size() >= rows_.capacity() / 4) return;
    std::vector<std::pair<core::stream_id, std::unique_ptr<T>>> fewer;
    fewer.reserve(rows_.capacity() / 2);
    std::move(rows_.begin(), rows_.end(), std::back_inserter(fewer));
    rows_ = std::move(fewer);
    index_.rehash(rows_.capacity());
  }

  std::vector<std::pair<core::stream_id, std::unique_ptr<T>>> rows_;
  std::unordered_map<core::stream_id, std::uint32_t> index_;
};

} // namespace penstock::dispatch
