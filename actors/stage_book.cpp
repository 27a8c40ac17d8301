#include "actors/stage_book.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace penstock::actors {

bool stage_book::is_suspect(const numbered& entry) noexcept {
  constexpr unsigned losses_of_suspects = 2;
  return entry.losses >= losses_of_suspects;
}

/// Whether the machine may be given another item, which may be a suspect.
bool stage_book::takes(const state& s, bool suspect) noexcept {
  if (s.retired || s.free == 0) return false;
  return s.items.empty() || (!suspect && !is_suspect(s.items.begin()->second));
}

void stage_book::wait_again(std::map<core::result_id, numbered>&& items) {
  for (auto& [id, entry] : items) waiting_.push_back(std::move(entry));
  std::ranges::sort(waiting_, {}, &numbered::number);
}

std::vector<core::result_id> stage_book::lose(node n) {
  std::vector<core::result_id> given_up;
  auto taken = nodes_.extract(n);
  if (taken.empty()) return given_up;
  auto& items = taken.mapped().items;
  for (auto& [id, entry] : items) {
    if (is_suspect(entry)) given_up.push_back(id);
    ++entry.losses;
  }
  for (const auto& id : given_up) items.erase(id);
  wait_again(std::move(items));
  return given_up;
}

void stage_book::release(node n) {
  if (auto taken = nodes_.extract(n)) wait_again(std::move(taken.mapped().items));
}

void stage_book::take_back(const assignment& unsent) {
  const auto at = nodes_.find(unsent.to);
  if (at == nodes_.end()) return;
  auto item = at->second.items.extract(unsent.id);
  if (item.empty()) return;
  ++at->second.free;
  waiting_.push_front(std::move(item.mapped()));
}

std::optional<stage_book::assignment> stage_book::next() {
  if (waiting_.empty()) return std::nullopt;
  auto best = nodes_.end();
  const bool suspect = is_suspect(waiting_.front());
  const auto room = [](const state& s) { return s.items.size() + s.free; };
  for (auto at = nodes_.begin(); at != nodes_.end(); ++at) {
    if (!takes(at->second, suspect)) continue;
    if (best == nodes_.end() ||
        at->second.items.size() * room(best->second) < best->second.items.size() * room(at->second))
      best = at;
  }
  if (best == nodes_.end()) return std::nullopt;
  auto entry = std::move(waiting_.front());
  waiting_.pop_front();
  assignment out{best->first, entry.item.id, entry.item.message};
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
  for (const auto& [n, s] : nodes_) sum += takes(s, false) ? s.free : 0;
  return sum;
}

} // namespace penstock::actors
