#include "jobs/job_queue.hpp"

#include <fmt/format.h>
#include <utility>

#include "jobs/queue/records.hpp"

namespace penstock::jobs {

using queue::change_job;
using queue::key_of;
using queue::versioned;

wall_clock system_clock() {
  return [] { return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now()); };
}

core::expected<void> job_rules::validate() const {
  const auto wrong = [](std::string_view rule, std::string_view allowed) {
    return core::fail(core::errc::bad_config, fmt::format("{}: allowed: {}", rule, allowed));
  };
  if (max_attempts == 0) return wrong("max_attempts", "at least 1");
  if (first_backoff < milliseconds{1}) return wrong("first_backoff", "at least 1 ms");
  if (longest_backoff < first_backoff) return wrong("longest_backoff", "at least first_backoff");
  if (rehint_after < milliseconds{1}) return wrong("rehint_after", "at least 1 ms");
  if (index_grace < milliseconds{0}) return wrong("index_grace", "0 or more");
  if (orphan_after < milliseconds{0}) return wrong("orphan_after", "0 or more");
  if (keep_finished < milliseconds{0}) return wrong("keep_finished", "0 or more");
  if (page == 0) return wrong("page", "at least 1");
  if (blobs_per_pass == 0) return wrong("blobs_per_pass", "at least 1");
  constexpr std::size_t room_for_the_rest = 64 * 1024;
  // Escapes may double a checkpoint's size, and a record has to fit into an entry.
  if (2 * longest_checkpoint + room_for_the_rest > 1024 * 1024) return wrong("longest_checkpoint", "at most 480 KiB");
  return {};
}

job_queue::job_queue(job_stores stores, job_rules rules, wall_clock clock, random_bits random)
    : stores_{std::move(stores)}, rules_{rules}, clock_{std::move(clock)}, random_{std::move(random)} {}

std::string job_queue::new_id() { return make_id(clock_(), random_); }

job_queue_faults job_queue::faults() const noexcept { return {hint_faults_.load(), cleanup_faults_.load()}; }

void job_queue::tell(std::string_view id) {
  if (!stores_.hints->push(id)) ++hint_faults_;
}

// A job that was found without a hint has none to change.

void job_queue::forget(const hint& told) {
  if (!told.receipt.empty() && !stores_.hints->acknowledge(told)) ++hint_faults_;
}

void job_queue::hide(hint& told, milliseconds time) {
  if (!told.receipt.empty() && !stores_.hints->extend(told, time)) ++hint_faults_;
}

/// The job is to be looked at again after a while.
void job_queue::release(const hint& told, milliseconds delay) {
  if (!told.receipt.empty() && !stores_.hints->release(told, delay)) ++hint_faults_;
}

core::expected<std::optional<job>> job_queue::visible(std::string_view id) {
  auto found = queue::read_job(*stores_.ledger, id);
  if (!found) return tl::unexpected{found.error()};
  if (!*found || !(*found)->record.accepted) return std::nullopt;
  return std::move((*found)->record);
}

core::expected<std::optional<job>> job_queue::get(std::string_view id) {
  if (!is_job_id(id)) return std::nullopt;
  return visible(id);
}

core::expected<job_page> job_queue::dead_letters(std::string_view after, std::size_t limit) {
  return list(job_state::dead, after, limit);
}

core::expected<job_page> job_queue::list(std::optional<job_state> state, std::string_view after, std::size_t limit) {
  const auto prefix = queue::prefix_of(state);
  if (!after.empty() && !is_job_id(after))
    return core::fail(core::errc::invalid_argument, "this is no place in a list");
  // A call looks at a bounded number of jobs, however few of them are wanted.
  constexpr std::size_t most_pages = 16;
  job_page out;
  std::string at = after.empty() ? std::string{} : key_of(prefix, after);
  for (std::size_t i = 0; i < most_pages; ++i) {
    auto page = stores_.ledger->list(prefix, at, rules_.page);
    if (!page) return tl::unexpected{page.error()};
    for (const auto& found : page->entries) {
      if (out.jobs.size() == limit) {
        out.next = at.substr(prefix.size());
        return out;
      }
      at = found.key;
      auto listed = queue::listed_job(*stores_.ledger, prefix, found, state);
      if (!listed) return tl::unexpected{listed.error()};
      if (*listed) out.jobs.push_back(std::move(**listed));
    }
    if (page->last) return out;
    if (page->entries.empty()) break;
  }
  out.next = at.substr(prefix.size());
  return out;
}

core::expected<std::uint64_t> job_queue::depth() { return stores_.hints->depth(); }

core::expected<std::optional<job>> job_queue::cancel(std::string_view id) {
  if (!is_job_id(id)) return std::nullopt;
  const auto now = clock_();
  auto changed = change_job(*stores_.ledger, id, now, std::nullopt, [&](job& record) {
    if (!record.accepted || is_final(record.state)) return false;
    record.state = job_state::cancelled;
    record.held.reset();
    record.updated = now;
    return true;
  });
  if (!changed) return tl::unexpected{changed.error()};
  if (!*changed || !(*changed)->now.record.accepted) return std::nullopt;
  if ((*changed)->written) clean_up((*changed)->now.record);
  return std::move((*changed)->now.record);
}

core::expected<std::optional<job>> job_queue::requeue(std::string_view id) {
  if (!is_job_id(id)) return std::nullopt;
  const auto now = clock_();
  auto changed = change_job(*stores_.ledger, id, now, std::nullopt, [&](job& record) {
    if (record.state != job_state::dead) return false;
    record.state = job_state::queued;
    record.attempts = 0;
    record.not_before = now;
    record.updated = record.queued = record.hinted = now;
    return true;
  });
  if (!changed) return tl::unexpected{changed.error()};
  if (!*changed || !(*changed)->now.record.accepted) return std::nullopt;
  if ((*changed)->written) {
    // In case the index entry of before was being removed while this job was dead.
    if (!queue::mark(*stores_.ledger, queue::open_prefix, id, now)) ++cleanup_faults_;
    tell(id);
  }
  return std::move((*changed)->now.record);
}

} // namespace penstock::jobs
