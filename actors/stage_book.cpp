#include "actors/stage_book.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace penstock::actors {

void stage_book::lose(node n) {
  auto taken = nodes_.extract(n);
  if (taken.empty()) return;
  for (auto& [id, entry] : taken.mapped().items) waiting_.push_back(std::move(entry));
  std::ranges::sort(waiting_, {}, &numbered::number);
}

std::optional<stage_book::assignment> stage_book::next() {
  if (waiting_.empty()) return std::nullopt;
  auto best = nodes_.end();
  const auto room = [](const state& s) { return s.items.size() + s.free; };
  for (auto at = nodes_.begin(); at != nodes_.end(); ++at) {
    if (at->second.retired || at->second.free == 0) continue;
    if (best == nodes_.end() ||
        at->second.items.size() * room(best->second) < best->second.items.size() * room(at->second))
      best = at;
  }
  if (best == nodes_.end()) return std::nullopt;
  auto entry = std::move(waiting_.front());
  waiting_.pop_front();
  assignment out{best->first, entry.item.message};
  --best->second.free;
  best->second.items.insert_or_assign(entry.item.id, std::move(entry));
  return out;
}

bool stage_book::answer(node n, const core::result_id& id) {
  const auto at = nodes_.find(n);
  return at != nodes_.end() && at->second.items.erase(id) > 0;
}

std::size_t stage_book::under_way(node n) const noexcept {
  const auto at = nodes_.find(n);
  return at == nodes_.end() ? 0 : at->second.items.size();
}

std::size_t stage_book::credit() const noexcept {
  std::size_t sum = 0;
  for (const auto& [n, s] : nodes_) sum += s.retired ? 0 : s.free;
  return sum;
}

} // namespace penstock::actors
