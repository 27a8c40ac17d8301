#include "gateway/policy/event_queue.hpp"

#include <algorithm>
#include <utility>

namespace penstock::gateway::policy {

namespace {

bool has(const std::vector<std::string>& list, const std::string& word) {
  return std::ranges::find(list, word) != list.end();
}

} // namespace

bool event_filter::wants(const event& e) const {
  if (!kinds.empty() && !has(kinds, e.kind)) return false;
  if (!streams.empty() && !has(streams, e.stream)) return false;
  return labels.empty() || std::ranges::any_of(e.labels, [&](const auto& label) { return has(labels, label); });
}

bool event_queue::push(const std::shared_ptr<const event>& e, bool* lost_one) {
  if (lost_one != nullptr) *lost_one = false;
  if (!filter_.wants(*e)) return false;
  if (waiting_.size() >= bound_) {
    waiting_.pop_front();
    ++lost_;
    if (lost_one != nullptr) *lost_one = true;
  }
  waiting_.push_back(e);
  return true;
}

std::uint64_t event_queue::take_lost() { return std::exchange(lost_, 0); }

std::shared_ptr<const event> event_queue::pop() {
  if (waiting_.empty()) return nullptr;
  auto first = std::move(waiting_.front());
  waiting_.pop_front();
  return first;
}

} // namespace penstock::gateway::policy
