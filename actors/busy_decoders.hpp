#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace penstock::actors {

/// How many decode actors have something to do right now. Thread-safe.
class busy_decoders {
 public:
  [[nodiscard]] std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  friend class busy_mark;
  std::atomic<std::size_t> count_{0};
};

/// One decode actor's part of the count; taken back at the latest when the actor's state goes.
class busy_mark {
 public:
  busy_mark() = default;
  explicit busy_mark(std::shared_ptr<busy_decoders> all) noexcept : all_{std::move(all)} {}
  ~busy_mark() { set(false); }
  busy_mark(const busy_mark&) = delete;
  busy_mark(busy_mark&&) = delete;
  busy_mark& operator=(const busy_mark&) = delete;
  busy_mark& operator=(busy_mark&& other) noexcept {
    set(false);
    all_ = std::move(other.all_);
    busy_ = std::exchange(other.busy_, false);
    return *this;
  }

  void set(bool busy) noexcept {
    if (!all_ || busy == busy_) return;
    busy_ = busy;
    if (busy)
      all_->count_.fetch_add(1, std::memory_order_relaxed);
    else
      all_->count_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<busy_decoders> all_;
  bool busy_ = false;
};

} // namespace penstock::actors
