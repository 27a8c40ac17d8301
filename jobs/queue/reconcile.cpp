#include <charconv>
#include <utility>
#include <vector>

#include "jobs/job_queue.hpp"
#include "jobs/queue/records.hpp"

/// What puts right what crashes and lost messages have left. Every step is one that any number of processes may do at
/// once, and that may be cut off anywhere.
namespace penstock::jobs {

using queue::change_job;
using queue::key_of;

struct job_queue::pass {
  struct waiting {
    std::string id;
    milliseconds since_told;
    milliseconds told_after; ///< how long the job had waited when the queue was last told
  };

  wall_time now;
  reconcile_report report;
  std::vector<waiting> ready;

  void failed(core::error cause) {
    ++report.errors;
    if (!report.first_error) report.first_error = std::move(cause);
  }
};

namespace {

/// When an index entry was made or renewed.
std::optional<wall_time> time_of(const entry& mark) {
  std::int64_t ms = 0;
  const auto* end = mark.value.data() + mark.value.size();
  const auto read = std::from_chars(mark.value.data(), end, ms);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return wall_time{milliseconds{ms}};
}

/// Calls `each(entry)` for all entries of a prefix.
template <class Each>
core::expected<void> for_each_entry(ledger& store, std::string_view prefix, std::size_t page_size, Each each) {
  std::string after;
  while (true) {
    auto page = store.list(prefix, after, page_size);
    if (!page) return tl::unexpected{page.error()};
    for (const auto& found : page->entries) each(found);
    if (page->last || page->entries.empty()) return {};
    after = page->entries.back().key;
  }
}

} // namespace

core::expected<reconcile_report> job_queue::reconcile() {
  pass run;
  run.now = clock_();
  for (auto part : {&job_queue::reconcile_open, &job_queue::tell_again, &job_queue::reconcile_dead,
                    &job_queue::forget_finished, &job_queue::sweep_blobs}) {
    auto made = (this->*part)(run);
    if (made) continue;
    if (part == &job_queue::reconcile_open) return tl::unexpected{made.error()};
    run.failed(made.error());
  }
  return std::move(run.report);
}

core::expected<void> job_queue::reconcile_open(pass& run) {
  return for_each_entry(*stores_.ledger, queue::open_prefix, rules_.page, [&](const entry& mark) {
    if (auto made = reconcile_job(run, mark); !made) {
      if (made.error().code == core::errc::corrupt) ++run.report.unreadable;
      run.failed(made.error());
    }
  });
}

core::expected<void> job_queue::reconcile_job(pass& run, const entry& mark) {
  const auto id = mark.key.substr(queue::open_prefix.size());
  auto known = queue::read_job(*stores_.ledger, id);
  if (!known) return tl::unexpected{known.error()};
  if (!*known || is_final((*known)->record.state)) {
    // Somebody may be about to write the record: only an old entry is useless, and only as it was read.
    const auto made = time_of(mark);
    if (made && run.now - *made <= rules_.index_grace) return {};
    auto removed = stores_.ledger->remove(mark.key, mark.version);
    if (!removed) return tl::unexpected{removed.error()};
    if (*removed) ++run.report.index_removed;
    return {};
  }
  auto& record = (*known)->record;
  if (!record.accepted) {
    if (run.now - record.created <= rules_.index_grace) return {};
    auto winner = stores_.ledger->read(queue::key_of_idempotency(record.idempotency_key));
    if (!winner) return tl::unexpected{winner.error()};
    if (*winner && (*winner)->value == id) return accept(id).map([](const auto&) {});
    auto removed = stores_.ledger->remove(key_of(queue::job_prefix, id), (*known)->version);
    if (!removed) return tl::unexpected{removed.error()};
    if (*removed) ++run.report.forgotten;
    return {};
  }
  if (record.state == job_state::running && record.held->expires > run.now) {
    ++run.report.running;
    return {};
  }
  auto finished = finish_published(record);
  if (!finished) return tl::unexpected{finished.error()};
  if (*finished) {
    ++run.report.finished;
    return {};
  }
  if (record.state == job_state::running) {
    const auto version = (*known)->version;
    auto changed = change_job(*stores_.ledger, id, run.now, std::move(*known), [&](job& next) {
      if (next.state != job_state::running || next.held->expires > run.now) return false;
      lose(next, run.now);
      return true;
    });
    if (!changed) return tl::unexpected{changed.error()};
    if (!*changed) return {};
    const auto& now = (*changed)->now.record;
    if ((*changed)->written) ++run.report.lost;
    if (now.state == job_state::dead) ++run.report.buried;
    if (now.state == job_state::running) ++run.report.running;
    if (now.state != job_state::queued) return {};
    ++run.report.queued;
    if ((*changed)->written) {
      tell(id);
      ++run.report.told;
    }
    return {};
  }
  ++run.report.queued;
  if (record.not_before <= run.now) {
    run.ready.push_back({id, run.now - record.hinted, record.hinted - record.queued});
  }
  return {};
}

/// Tells the queue again of jobs that wait longer than they should. Where the queue holds fewer hints than jobs wait,
/// some were lost; it does not say which. Otherwise work is just short: then a job is told of again when it has waited
/// twice as long, so that hints of a long backlog stay few.
core::expected<void> job_queue::tell_again(pass& run) {
  auto known = stores_.hints->depth();
  if (!known) return tl::unexpected{known.error()};
  /// Whoever recorded a job is about to tell of it.
  constexpr milliseconds about_to_tell{5'000};
  const bool all_lost = *known == 0;
  const bool some_lost = *known < run.report.queued + run.report.running;
  for (const auto& job : run.ready) {
    const auto patience = all_lost    ? std::min(rules_.rehint_after, about_to_tell)
                          : some_lost ? rules_.rehint_after
                                      : std::max(rules_.rehint_after, job.told_after);
    if (job.since_told < patience) continue;
    if (auto pushed = stores_.hints->push(job.id); !pushed) {
      run.failed(pushed.error());
      continue;
    }
    ++run.report.told;
    auto noted = change_job(*stores_.ledger, job.id, run.now, std::nullopt, [&](jobs::job& record) {
      if (record.state != job_state::queued) return false;
      record.hinted = run.now;
      return true;
    });
    if (!noted) run.failed(noted.error());
  }
  return {};
}

core::expected<void> job_queue::reconcile_dead(pass& run) {
  return for_each_entry(*stores_.ledger, queue::dead_prefix, rules_.page, [&](const entry& mark) {
    const auto made = time_of(mark);
    if (made && run.now - *made <= rules_.index_grace) return;
    auto known = queue::read_job(*stores_.ledger, mark.key.substr(queue::dead_prefix.size()));
    if (!known) {
      if (known.error().code == core::errc::corrupt) ++run.report.unreadable;
      return run.failed(known.error());
    }
    if (*known && (*known)->record.state == job_state::dead) return;
    auto removed = stores_.ledger->remove(mark.key, mark.version);
    if (!removed) return run.failed(removed.error());
    if (*removed) ++run.report.index_removed;
  });
}

/// Ids sort by time, so the jobs that may be old enough are the first ones, and mostly the very first is not.
core::expected<void> job_queue::forget_finished(pass& run) {
  const auto oldest = stores_.ledger->list(queue::job_prefix, {}, 1);
  if (!oldest) return tl::unexpected{oldest.error()};
  if (oldest->entries.empty()) return {};
  const auto first = std::string_view{oldest->entries.front().key}.substr(queue::job_prefix.size());
  if (is_job_id(first) && run.now - time_of_id(first) <= rules_.keep_finished) return {};
  std::string after;
  while (true) {
    auto page = stores_.ledger->list(queue::job_prefix, after, rules_.page);
    if (!page) return tl::unexpected{page.error()};
    for (const auto& found : page->entries) {
      const auto id = std::string_view{found.key}.substr(queue::job_prefix.size());
      if (is_job_id(id) && run.now - time_of_id(id) <= rules_.keep_finished) return {};
      auto known = queue::decode_entry(found);
      if (!known) {
        ++run.report.unreadable;
        run.failed(known.error());
        continue;
      }
      if (!is_final(known->record.state) || run.now - known->record.updated <= rules_.keep_finished) continue;
      if (auto gone = forget_job(run, known->record, known->version); !gone) run.failed(gone.error());
    }
    if (page->last || page->entries.empty()) return {};
    after = page->entries.back().key;
  }
}

core::expected<void> job_queue::forget_job(pass& run, const job& record, const std::string& version) {
  // The record goes first: a requeue in between wins or finds nothing. Its blobs are then those of no job.
  auto removed = stores_.ledger->remove(key_of(queue::job_prefix, record.id), version);
  if (!removed) return tl::unexpected{removed.error()};
  if (!*removed) return {};
  ++run.report.forgotten;
  if (!record.idempotency_key.empty()) {
    auto key = stores_.ledger->read(queue::key_of_idempotency(record.idempotency_key));
    if (!key) return tl::unexpected{key.error()};
    if (*key && (*key)->value == record.id) {
      if (auto gone = stores_.ledger->remove((*key)->key, (*key)->version); !gone) return tl::unexpected{gone.error()};
    }
  }
  auto page = stores_.blobs->list(record.id + "/", {}, rules_.blobs_per_pass);
  if (!page) return tl::unexpected{page.error()};
  for (const auto& blob : page->blobs) {
    auto gone = stores_.blobs->remove(blob.name);
    if (!gone) return tl::unexpected{gone.error()};
    if (*gone) ++run.report.blobs_removed;
  }
  return {};
}

/// Removes the blobs of a final job that nobody needs: parts, and the input of what cannot be done again.
core::expected<std::uint64_t> job_queue::remove_blobs(const job& record) {
  if (record.state != job_state::done && record.state != job_state::cancelled) return 0;
  std::uint64_t count = 0;
  std::string after;
  while (true) {
    auto page = stores_.blobs->list(record.id + "/", after, rules_.page);
    if (!page) return tl::unexpected{page.error()};
    for (const auto& blob : page->blobs) {
      if (blob.name == record.result_blob) continue;
      if (record.state == job_state::done && rules_.keep_inputs && blob.name == record.input_blob) continue;
      auto removed = stores_.blobs->remove(blob.name);
      if (!removed) return tl::unexpected{removed.error()};
      if (*removed) ++count;
    }
    if (page->last || page->blobs.empty()) return count;
    after = page->blobs.back().name;
  }
}

/// At once what the reconciler would do later, for a job that is over for good.
void job_queue::clean_up(const job& record) {
  const auto key = key_of(queue::open_prefix, record.id);
  auto mark = stores_.ledger->read(key);
  if (!mark || (*mark && !stores_.ledger->remove(key, (*mark)->version))) ++cleanup_faults_;
  if (!remove_blobs(record)) ++cleanup_faults_;
}

core::expected<void> job_queue::sweep_blobs(pass& run) {
  const std::lock_guard lock{sweep_mutex_};
  const auto old = run.now - rules_.orphan_after;
  auto page = stores_.blobs->list({}, sweep_after_, rules_.blobs_per_pass);
  if (!page) return tl::unexpected{page.error()};
  std::string last_id;
  bool owned = false;
  for (const auto& blob : page->blobs) {
    const auto id = job_of_blob(blob.name);
    if (!is_job_id(id)) continue; // not ours
    if (id != last_id) {
      auto known = queue::read_job(*stores_.ledger, id);
      if (!known) {
        // Whatever it is, its blobs stay.
        if (known.error().code == core::errc::corrupt) ++run.report.unreadable;
        run.failed(known.error());
        last_id.clear();
        continue;
      }
      last_id = std::string{id};
      owned = known->has_value();
      if (owned) {
        auto removed = remove_blobs((*known)->record);
        if (!removed) return tl::unexpected{removed.error()};
        run.report.blobs_removed += *removed;
      }
    }
    if (owned || blob.modified > old) continue;
    auto removed = stores_.blobs->remove(blob.name);
    if (!removed) return tl::unexpected{removed.error()};
    if (*removed) ++run.report.blobs_removed;
  }
  sweep_after_ = page->last || page->blobs.empty() ? std::string{} : page->blobs.back().name;
  if (!sweep_after_.empty()) return {};
  run.report.blobs_swept = true;
  auto swept = stores_.blobs->sweep_unpublished(old);
  if (!swept) return tl::unexpected{swept.error()};
  run.report.blobs_removed += *swept;
  return {};
}

} // namespace penstock::jobs
