#include "gateway/net/hall.hpp"

#include <algorithm>
#include <vector>

namespace penstock::gateway::net {

bool hall::make_room(const std::string& address) {
  const auto found = by_address_.find(address);
  if (found != by_address_.end() && found->second >= how.limits.connections_per_address) return false;
  if (inside_.size() < how.limits.connections) return true;
  // One that was chosen leaves when its coroutine sees that its socket is closed; until then it is passed over.
  const auto longest = std::ranges::find_if(waiting_, [](const auto* c) { return !c->is_leaving(); });
  if (longest == waiting_.end()) return false;
  counts.refused(barred::made_room);
  (*longest)->close();
  return true;
}

void hall::enter(guest& c, const std::string& address) {
  inside_.insert(&c);
  ++by_address_[address];
  count();
}

void hall::leave(guest& c, const std::string& address) {
  inside_.erase(&c);
  if (--by_address_[address] == 0) by_address_.erase(address);
  count();
}

void hall::count() {
  size_ = inside_.size();
  counts.series.connections.set(static_cast<double>(inside_.size()));
}

void hall::drain() {
  draining_ = true;
  for (auto* c : std::vector(inside_.begin(), inside_.end())) c->drain();
}

void hall::close() {
  draining_ = true;
  for (auto* c : std::vector(inside_.begin(), inside_.end())) c->close();
}

bool hall::reserve(std::size_t bytes) {
  if (bytes > how.limits.buffered_bytes - buffered_) return false;
  buffered_ += bytes;
  return true;
}

} // namespace penstock::gateway::net
