#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "jobs/job_queue.hpp"
#include "jobs/queue/records.hpp"

/// What workers do with jobs.
namespace penstock::jobs {

using queue::change_job;
using queue::versioned;

namespace {

bool holds(const claim& held, const job& record) {
  return record.state == job_state::running && record.held && held.record.held &&
         record.held->epoch == held.record.held->epoch && record.held->token == held.record.held->token;
}

standing without(const std::optional<job>& record) {
  return record && record->state == job_state::cancelled ? standing::cancelled : standing::lost;
}

} // namespace

milliseconds job_queue::backoff(std::uint32_t attempts) const {
  auto wait = rules_.first_backoff;
  for (std::uint32_t i = 1; i < attempts && wait < rules_.longest_backoff; ++i) wait *= 2;
  wait = std::min(wait, rules_.longest_backoff);
  return wait + milliseconds{static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(wait.count() / 2 + 1))};
}

/// A record without its lease: queued, or dead where it has had its attempts.
void job_queue::bury_or_retry(job& record, wall_time now, std::string error, bool pointless) const {
  record.held.reset();
  record.error = std::move(error);
  record.updated = now;
  if (pointless || record.attempts >= record.max_attempts) {
    record.state = job_state::dead;
  } else {
    record.state = job_state::queued;
    record.queued = record.hinted = now;
    record.not_before = now;
  }
}

/// A lease that has run out. One whose work got further is not held against the job: a long job outlives any number of
/// machines, and a job that kills its worker at the same frame each time does not.
void job_queue::lose(job& record, wall_time now) const {
  auto error = fmt::format("worker '{}' was lost", record.held->worker);
  if (record.frames.done > record.held->frames_at_start && record.attempts > 0) {
    --record.attempts;
    error = record.error;
  }
  bury_or_retry(record, now, std::move(error), false);
}

/// What became of looking at a hint's job: a claim, a time to look again, or neither, which ends the hint.
struct job_queue::taking {
  std::optional<versioned> got;
  std::optional<wall_time> later;
};

/// A worker may have died after its result was published: then there is nothing left to do but to say so.
core::expected<bool> job_queue::finish_published(const job& record) {
  if (record.epoch == 0) return false;
  auto there = stores_.blobs->stat(result_name(record.id));
  if (!there) return tl::unexpected{there.error()};
  if (!*there) return false;
  const auto now = clock_();
  auto changed = change_job(*stores_.ledger, record.id, now, std::nullopt, [&](job& next) {
    if (is_final(next.state)) return false;
    next.state = job_state::done;
    next.held.reset();
    next.result_blob = result_name(next.id);
    next.updated = now;
    return true;
  });
  if (!changed) return tl::unexpected{changed.error()};
  if (*changed && (*changed)->written) clean_up((*changed)->now.record);
  return true;
}

core::expected<job_queue::taking> job_queue::take(const std::string& id, std::string_view worker,
                                                  milliseconds duration) {
  auto known = queue::read_job(*stores_.ledger, id);
  if (!known) return tl::unexpected{known.error()};
  const auto now = clock_();
  const auto busy = [now](const job& record) {
    return record.state == job_state::running && record.held->expires > now;
  };
  if (*known && !is_final((*known)->record.state) && !busy((*known)->record)) {
    auto finished = finish_published((*known)->record);
    if (!finished) return tl::unexpected{finished.error()};
  }
  std::optional<wall_time> later;
  const auto token = make_token(random_);
  auto changed = change_job(*stores_.ledger, id, now, std::move(*known), [&](job& record) {
    later.reset();
    if (is_final(record.state) || !record.accepted) return false;
    if (busy(record)) {
      later = record.held->expires;
      return false;
    }
    if (record.state == job_state::queued && record.not_before > now) {
      later = record.not_before;
      return false;
    }
    if (record.state == job_state::running) {
      lose(record, now);
      if (record.state == job_state::dead) return true;
    }
    record.state = job_state::running;
    record.attempts += 1;
    record.epoch += 1;
    record.held = jobs::lease{std::string{worker}, record.epoch, token, now + duration, record.frames.done};
    record.updated = now;
    return true;
  });
  if (!changed) return tl::unexpected{changed.error()};
  taking out;
  out.later = later;
  if (*changed && (*changed)->written && (*changed)->now.record.state == job_state::running) {
    out.got = std::move((*changed)->now);
  }
  return out;
}

core::expected<std::optional<claim>> job_queue::lease(std::string_view worker, milliseconds duration) {
  // Old hints are passed over, but not without end: the caller may have to stop.
  constexpr int most_hints = 64;
  for (int i = 0; i < most_hints; ++i) {
    auto told = stores_.hints->pop(duration);
    if (!told) {
      ++hint_faults_;
      return lease_untold(worker, duration, told.error());
    }
    if (!*told) return std::nullopt;
    if (!is_job_id((*told)->job)) {
      forget(**told);
      continue;
    }
    auto taken = take((*told)->job, worker, duration);
    if (!taken) {
      // A record that is none would come back for ever; the reconciler goes on counting it.
      if (taken.error().code == core::errc::corrupt) forget(**told);
      return tl::unexpected{taken.error()};
    }
    if (taken->got) return claim{std::move(taken->got->record), std::move(taken->got->version), std::move(**told)};
    if (!taken->later) {
      forget(**told);
    } else {
      release(**told, std::max(milliseconds{1}, *taken->later - clock_()));
    }
  }
  return std::nullopt;
}

/// Work goes on while the queue of hints is away: the ledger knows the jobs, too. From where the last look ended, so
/// that a job which cannot be taken is not the only one that is looked at.
core::expected<std::optional<claim>> job_queue::lease_untold(std::string_view worker, milliseconds duration,
                                                             const core::error& why) {
  std::string after;
  {
    const std::lock_guard lock{sweep_mutex_};
    after = untold_after_;
  }
  constexpr std::size_t most_looks = 32;
  const auto page = stores_.ledger->list(queue::open_prefix, after, most_looks);
  if (!page) return tl::unexpected{page.error()};
  std::optional<claim> out;
  for (const auto& mark : page->entries) {
    after = mark.key;
    const auto id = mark.key.substr(queue::open_prefix.size());
    auto taken = take(id, worker, duration);
    if (!taken) {
      if (taken.error().code == core::errc::corrupt) continue; // `reconcile` counts them
      return tl::unexpected{taken.error()};
    }
    if (!taken->got) continue;
    out = claim{std::move(taken->got->record), std::move(taken->got->version), {id, {}}};
    break;
  }
  const auto at_end = page->last && (page->entries.empty() || after == page->entries.back().key);
  const std::lock_guard lock{sweep_mutex_};
  untold_after_ = at_end ? std::string{} : after;
  if (!out) return tl::unexpected{why};
  return out;
}

/// Changes the record of a claim that is still held; the claim follows.
template <class Edit>
core::expected<standing> job_queue::step(claim& held, Edit edit) {
  const auto now = clock_();
  auto changed =
      change_job(*stores_.ledger, held.record.id, now, versioned{held.record, held.version}, [&](job& record) {
        if (!holds(held, record)) return false;
        record.updated = now;
        edit(record, now);
        return true;
      });
  if (!changed) return tl::unexpected{changed.error()};
  if (!*changed) return standing::lost;
  auto& [after, written] = **changed;
  if (!written) {
    // A repeated `complete` finds its own work.
    const auto own = after.record.state == job_state::done && after.record.epoch == held.record.epoch;
    return own ? standing::held : without(after.record);
  }
  held.record = std::move(after.record);
  held.version = std::move(after.version);
  return standing::held;
}

core::expected<standing> job_queue::extend(claim& held, milliseconds duration) {
  auto stands = step(held, [&](job& record, wall_time now) { record.held->expires = now + duration; });
  if (stands && *stands == standing::held) hide(held.told, duration);
  return stands;
}

core::expected<standing> job_queue::progress(claim& held, frame_progress frames, std::string checkpoint,
                                             milliseconds duration) {
  if (checkpoint.size() > rules_.longest_checkpoint) {
    return core::fail(core::errc::too_large, fmt::format("a checkpoint of {} bytes; at most {}", checkpoint.size(),
                                                         rules_.longest_checkpoint));
  }
  auto stands = step(held, [&](job& record, wall_time now) {
    record.held->expires = now + duration;
    record.frames = frames;
    record.checkpoint = checkpoint;
  });
  if (stands && *stands == standing::held) hide(held.told, duration);
  return stands;
}

core::expected<standing> job_queue::complete(claim& held) {
  const auto name = result_name(held.record.id);
  auto there = stores_.blobs->stat(name);
  if (!there) return tl::unexpected{there.error()};
  if (!*there) {
    // Not published by this worker, or removed with the job since.
    auto record = visible(held.record.id);
    if (!record) return tl::unexpected{record.error()};
    if (!*record || !holds(held, **record)) return without(*record);
    return core::fail(core::errc::invalid_argument, name + ": the result is not published yet");
  }
  auto stands = step(held, [&](job& record, wall_time) {
    record.state = job_state::done;
    record.held.reset();
    record.error.clear();
    record.result_blob = name;
  });
  if (!stands) return stands;
  forget(held.told);
  if (*stands == standing::held) clean_up(held.record);
  return stands;
}

core::expected<standing> job_queue::fail(claim& held, std::string error, retry another) {
  const auto wait = backoff(held.record.attempts);
  constexpr std::size_t longest_error = 8 * 1024;
  error.resize(std::min(error.size(), longest_error));
  auto stands = step(held, [&](job& record, wall_time now) {
    bury_or_retry(record, now, error, another == retry::pointless);
    record.not_before = now + wait;
  });
  if (!stands) return stands;
  if (*stands != standing::held || held.record.state == job_state::dead) {
    forget(held.told);
  } else {
    release(held.told, wait);
  }
  return stands;
}

core::expected<standing> job_queue::give_back(claim& held) {
  auto stands = step(held, [&](job& record, wall_time now) {
    record.held.reset();
    record.state = job_state::queued;
    record.attempts -= std::min(record.attempts, 1U);
    record.queued = record.hinted = record.not_before = now;
  });
  if (!stands) return stands;
  if (*stands != standing::held) {
    forget(held.told);
  } else {
    release(held.told, milliseconds{0});
  }
  return stands;
}

} // namespace penstock::jobs
