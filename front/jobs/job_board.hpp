#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace penstock::front {

enum class job_news : std::uint8_t {
  waits,     ///< somebody may work on it
  cancelled, ///< whoever works on it may stop
  moved,     ///< it got further, or is over
};

[[nodiscard]] constexpr std::string_view to_string(job_news what) noexcept {
  switch (what) {
  case job_news::waits: return "waits";
  case job_news::cancelled: return "cancelled";
  case job_news::moved: return "moved";
  }
  return "moved";
}

/// Where the parts of this process tell each other what they did to a job, so that the others need not wait until they
/// look at its record anyway. Other processes are not told. Thread-safe.
class job_board {
 public:
  using listener = std::function<void(const std::string& id, job_news what)>;

  job_board() = default;
  job_board(const job_board&) = delete;
  job_board& operator=(const job_board&) = delete;

  /// `heard` is called on the thread of who tells; it does not block, and does not call the board. Gives a number for
  /// `leave`.
  [[nodiscard]] std::uint64_t listen(listener heard) {
    const std::lock_guard lock{mutex_};
    listeners_.emplace(++last_, std::move(heard));
    return last_;
  }

  /// When it returns, the listener is not being called and will not be.
  void leave(std::uint64_t number) {
    const std::lock_guard lock{mutex_};
    listeners_.erase(number);
  }

  void tell(const std::string& id, job_news what) {
    const std::lock_guard lock{mutex_};
    for (const auto& [number, heard] : listeners_) heard(id, what);
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, listener> listeners_;
  std::uint64_t last_ = 0;
};

} // namespace penstock::front
