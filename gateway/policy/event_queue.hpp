#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/event.hpp"

namespace penstock::gateway::policy {

/// Which events a reader wants. An empty list means all.
struct event_filter {
  std::vector<std::string> streams{};
  std::vector<std::string> labels{}; ///< of results: those with at least one such object
  std::vector<std::string> kinds{};

  [[nodiscard]] bool wants(const event& e) const;
};

/// What waits for one reader. A full queue loses its oldest event and counts it.
class event_queue {
 public:
  event_queue(event_filter filter, std::size_t bound) : filter_{std::move(filter)}, bound_{bound} {}

  /// Whether it was wanted. `lost_one`, if given, tells whether another had to go for it.
  bool push(const std::shared_ptr<const event>& e, bool* lost_one = nullptr);

  /// What was lost since the last call; to be told to the reader before the next event.
  [[nodiscard]] std::uint64_t take_lost();
  [[nodiscard]] std::shared_ptr<const event> pop();
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty() && lost_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }

 private:
  event_filter filter_;
  std::size_t bound_;
  std::deque<std::shared_ptr<const event>> waiting_;
  std::uint64_t lost_ = 0;
};

} // namespace penstock::gateway::policy
