#include <algorithm>
#include <utility>
#include <vector>

#include "jobs/job_queue.hpp"
#include "jobs/queue/records.hpp"

/// Jobs from the newest back. Ledgers list in the order of ids only, which is that of time: so spans of time are looked
/// at, from the latest back, each about as long as holds one page.
namespace penstock::jobs {

using queue::key_of;

namespace {

/// The entries of ids in (low, high]. Nullopt where they are more than a page, unless `all` of them are wanted.
core::expected<std::optional<std::vector<entry>>> entries_between(ledger& store, std::string_view prefix,
                                                                  const std::string& low, const std::string& high,
                                                                  std::size_t page_size, bool all) {
  std::vector<entry> out;
  std::string after = key_of(prefix, low);
  const auto end = key_of(prefix, high);
  while (true) {
    auto page = store.list(prefix, after, page_size);
    if (!page) return tl::unexpected{page.error()};
    for (auto& each : page->entries) {
      if (each.key > end) return out;
      out.push_back(std::move(each));
    }
    if (page->last || page->entries.empty()) return out;
    if (!all) return std::nullopt;
    after = out.back().key;
  }
}

} // namespace

core::expected<job_page> job_queue::newest(std::optional<job_state> state, std::string_view before, std::size_t limit) {
  if (!before.empty() && !is_job_id(before))
    return core::fail(core::errc::invalid_argument, "this is no place in a list");
  const auto prefix = queue::prefix_of(state);
  const auto first = stores_.ledger->list(prefix, {}, 1);
  if (!first) return tl::unexpected{first.error()};
  job_page out;
  if (first->entries.empty() || limit == 0) return out;
  const auto oldest = first->entries.front().key.substr(prefix.size());
  // Later than all ids that clocks of other machines may have made.
  std::string high = before.empty() ? std::string(oldest.size(), 'v') : std::string{before};
  auto end = before.empty() ? clock_() : time_of_id(before) + milliseconds{1};
  milliseconds span{60'000};
  constexpr int most_looks = 64;
  for (int i = 0; i < most_looks && oldest <= high; ++i) {
    const auto low = first_id_of(end - span);
    auto found = entries_between(*stores_.ledger, prefix, low, high, rules_.page, span <= milliseconds{1});
    if (!found) return tl::unexpected{found.error()};
    if (!*found) {
      span = std::max(milliseconds{1}, span / 4);
      continue;
    }
    for (auto at = (*found)->rbegin(); at != (*found)->rend(); ++at) {
      const auto id = at->key.substr(prefix.size());
      if (id == before) continue;
      if (out.jobs.size() == limit) {
        out.next = out.jobs.back().id;
        return out;
      }
      auto listed = queue::listed_job(*stores_.ledger, prefix, *at, state);
      if (!listed) return tl::unexpected{listed.error()};
      if (*listed) out.jobs.push_back(std::move(**listed));
    }
    high = low;
    end -= span;
    if ((*found)->size() * 2 < rules_.page) span *= 4;
  }
  if (oldest <= high) out.next = high;
  return out;
}

} // namespace penstock::jobs
