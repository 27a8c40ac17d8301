#include <utility>

#include "jobs/job_queue.hpp"
#include "jobs/queue/records.hpp"

/// How jobs are accepted. With an idempotency key three things have to become one: the record, the key, and the
/// acceptance. The record comes first, unseen; who gets the key into the ledger has won; its record, and no other, is
/// then accepted. A crash between any two leaves what the next repetition, or the reconciler, takes up.
namespace penstock::jobs {

using queue::change_job;
using queue::key_of_idempotency;

namespace {

constexpr std::size_t longest_text = 16 * 1024;

core::expected<void> check(const job_request& request) {
  const auto wrong = [](const char* why) { return core::fail(core::errc::invalid_argument, why); };
  if (!request.id.empty() && !is_job_id(request.id)) return wrong("a job's id comes from new_id");
  if (request.input_blob.empty() == request.input_uri.empty()) return wrong("a job needs a blob or a uri, not both");
  if (!request.input_blob.empty() && !is_blob_name(request.input_blob))
    return wrong("the input's name is none of a blob");
  const auto owner = job_of_blob(request.input_blob);
  if (is_job_id(owner) && owner != request.id) return wrong("the input is that of another job");
  if (request.input_uri.size() > longest_text) return wrong("the input's uri is too long");
  if (request.name.size() > longest_text || request.content_type.size() > longest_text)
    return wrong("the name or the content type is too long");
  if (request.idempotency_key.size() > longest_text) return wrong("the idempotency key is too long");
  if (request.max_attempts == 0U) return wrong("max_attempts is at least 1");
  return {};
}

} // namespace

core::expected<std::optional<job>> job_queue::accept(std::string_view id) {
  const auto now = clock_();
  auto changed = change_job(*stores_.ledger, id, now, std::nullopt, [&](job& record) {
    if (record.accepted) return false;
    record.accepted = true;
    record.updated = record.queued = record.hinted = now;
    return true;
  });
  if (!changed) return tl::unexpected{changed.error()};
  if (!*changed) return std::nullopt;
  if ((*changed)->written) tell(id);
  return std::move((*changed)->now.record);
}

core::expected<std::optional<job>> job_queue::find(std::string_view idempotency_key) {
  auto key = stores_.ledger->read(key_of_idempotency(idempotency_key));
  if (!key) return tl::unexpected{key.error()};
  if (!*key || !is_job_id((*key)->value)) return std::nullopt;
  return accept((*key)->value);
}

/// The id that the record's key belongs to afterwards.
core::expected<std::string> job_queue::claim_key(const job& record) {
  const auto key = key_of_idempotency(record.idempotency_key);
  constexpr int most_tries = 32;
  for (int i = 0; i < most_tries; ++i) {
    auto made = stores_.ledger->create(key, record.id);
    if (!made) return tl::unexpected{made.error()};
    if (*made) return record.id;
    auto found = stores_.ledger->read(key);
    if (!found) return tl::unexpected{found.error()};
    if (!*found) continue;
    const auto& winner = (*found)->value;
    if (winner == record.id) return winner;
    if (is_job_id(winner)) {
      auto there = queue::read_job(*stores_.ledger, winner);
      if (!there) return tl::unexpected{there.error()};
      if (*there) return winner;
    }
    // Its job was never accepted, and will not be: acceptance finds the record gone.
    auto replaced = stores_.ledger->replace(key, record.id, (*found)->version);
    if (!replaced) return tl::unexpected{replaced.error()};
    if (*replaced) return record.id;
  }
  return core::fail(core::errc::unavailable, "an idempotency key is claimed by too many at once");
}

/// Whether the input is there, and young enough that nobody takes it for one of no job before this one is recorded.
core::expected<bool> job_queue::has_input(const job_request& request) {
  if (request.input_blob.empty()) return true;
  auto there = stores_.blobs->stat(request.input_blob);
  if (!there) return tl::unexpected{there.error()};
  if (!*there) return false;
  return !is_job_id(job_of_blob(request.input_blob)) || clock_() - (*there)->modified <= rules_.orphan_after / 2;
}

namespace {

/// Whether a record is what came of the same request before.
bool is_same(const job& there, const job& wanted) {
  return there.kind == wanted.kind && there.input_blob == wanted.input_blob && there.input_uri == wanted.input_uri &&
         there.idempotency_key == wanted.idempotency_key;
}

} // namespace

core::expected<put_answer> job_queue::put(const job_request& request) {
  if (auto good = check(request); !good) return tl::unexpected{good.error()};
  const auto keyed = !request.idempotency_key.empty();
  if (keyed) {
    auto known = find(request.idempotency_key);
    if (!known) return tl::unexpected{known.error()};
    if (*known) return put_answer{std::move(**known), false};
  }
  const auto found = has_input(request);
  if (!found) return tl::unexpected{found.error()};
  if (!*found) {
    auto earlier = get(request.id); // a repetition may come when the work is done
    if (!earlier) return tl::unexpected{earlier.error()};
    if (*earlier) return put_answer{std::move(**earlier), false};
    return core::fail(core::errc::not_found, request.input_blob + ": the input is not there, or too old; put it again");
  }
  const auto now = clock_();
  job record;
  record.id = request.id.empty() ? new_id() : request.id;
  record.kind = request.kind;
  record.accepted = !keyed;
  record.input_blob = request.input_blob;
  record.input_uri = request.input_uri;
  record.name = request.name;
  record.content_type = request.content_type;
  record.input_bytes = request.input_bytes;
  record.max_attempts = request.max_attempts.value_or(rules_.max_attempts);
  record.frames.total = request.frames_total;
  record.created = record.updated = record.queued = record.hinted = now;
  record.idempotency_key = request.idempotency_key;

  if (auto marked = queue::mark(*stores_.ledger, queue::open_prefix, record.id, now); !marked) {
    return tl::unexpected{marked.error()};
  }
  auto made = queue::create_job(*stores_.ledger, record);
  if (!made) return tl::unexpected{made.error()};
  if (!*made) {
    auto there = queue::read_job(*stores_.ledger, record.id);
    if (!there) return tl::unexpected{there.error()};
    if (*there && !is_same((*there)->record, record)) {
      return core::fail(core::errc::invalid_argument, record.id + ": there is another job of this id");
    }
    if (!*there) return core::fail(core::errc::unavailable, record.id + ": came and went; put it again");
    if ((*there)->record.accepted) return put_answer{std::move((*there)->record), false};
    made = std::move(*there); // a first try ended before it was accepted
  }
  if (!keyed) {
    tell(record.id);
    return put_answer{std::move(record), true};
  }
  auto winner = claim_key(record);
  if (!winner) return tl::unexpected{winner.error()};
  if (*winner != record.id) {
    if (!stores_.ledger->remove(queue::key_of(queue::job_prefix, record.id), (*made)->version)) ++cleanup_faults_;
  }
  auto accepted = accept(*winner);
  if (!accepted) return tl::unexpected{accepted.error()};
  if (!*accepted) return core::fail(core::errc::unavailable, "accepting the job took too long; put it again");
  return put_answer{std::move(**accepted), *winner == record.id};
}

} // namespace penstock::jobs
