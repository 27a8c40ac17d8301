#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/blobs.hpp"
#include "jobs/hints.hpp"
#include "jobs/ids.hpp"
#include "jobs/ledger.hpp"
#include "jobs/record.hpp"

namespace penstock::jobs {

/// The three stores behind a job queue.
struct job_stores {
  std::shared_ptr<jobs::ledger> ledger;
  std::shared_ptr<jobs::hints> hints;
  std::shared_ptr<jobs::blobs> blobs;
};

using wall_clock = std::function<wall_time()>;

/// The machine's clock.
[[nodiscard]] wall_clock system_clock();

struct job_rules {
  std::uint32_t max_attempts = 5;        ///< of jobs that do not say; a lost worker counts unless it got further
  milliseconds first_backoff{1'000};     ///< after the first failure; doubles with each, plus up to half by chance
  milliseconds longest_backoff{300'000}; ///< bound of the backoff
  milliseconds rehint_after{60'000};     ///< a queued job that nobody took for so long is told to the queue again
  milliseconds index_grace{60'000};      ///< an index entry without a use is left alone for so long
  milliseconds orphan_after{3'600'000};  ///< a blob of no job is removed after that
  milliseconds keep_finished{7LL * 86'400'000}; ///< final jobs and their results are removed after that
  bool keep_inputs = false;                     ///< keep the input of a job that is done
  std::size_t page = 256;                       ///< records a request
  std::size_t blobs_per_pass = 256;             ///< blobs that one `reconcile` looks at
  std::size_t longest_checkpoint = 256 * 1024;  ///< bytes

  /// Error: `bad_config`, which names the rule.
  [[nodiscard]] core::expected<void> validate() const;
};

/// What somebody wants done. Either a blob (put there before: `id` from `new_id`, the name from `input_name`) or a uri.
struct job_request {
  std::string id{}; ///< from `new_id`; empty: a new one
  job_kind kind = job_kind::video;
  std::string input_blob{};
  std::string input_uri{};
  std::string name{}; ///< as people call it; like the next two kept for them only
  std::string content_type{};
  std::uint64_t input_bytes = 0;
  std::string idempotency_key{}; ///< a repeat with the same key gets the same job; empty: none
  std::optional<std::uint32_t> max_attempts{};
  std::optional<std::uint64_t> frames_total{};
};

struct put_answer {
  job record;
  bool created = false; ///< false: the key was known, this is the earlier job
};

struct job_page {
  std::vector<job> jobs;
  std::optional<std::string> next; ///< give it as `after` for the jobs behind these; nullopt: these were the last
};

/// A job in the hands of a worker.
struct claim {
  job record;
  std::string version; ///< of the record
  hint told;           ///< what led here; without a receipt where it was found without the queue

  [[nodiscard]] std::uint64_t epoch() const noexcept { return record.epoch; }
};

/// Where a worker stands with its claim.
enum class standing : std::uint8_t {
  held,      ///< it is (or was, for a final step) the worker's; the step has been made
  lost,      ///< the lease went to another, or the job is over; the step has not been made
  cancelled, ///< somebody cancelled the job; the step has not been made
};

struct reconcile_report {
  std::uint64_t queued = 0;    ///< jobs that wait, at the time of the pass
  std::uint64_t running = 0;   ///< jobs with a live lease
  std::uint64_t told = 0;      ///< jobs that the queue was told of again
  std::uint64_t lost = 0;      ///< leases that had run out
  std::uint64_t finished = 0;  ///< jobs whose result was there, but not noted
  std::uint64_t buried = 0;    ///< jobs that went to the dead letters
  std::uint64_t forgotten = 0; ///< final jobs past their time, and requests that were never accepted
  std::uint64_t blobs_removed = 0;
  std::uint64_t index_removed = 0;
  std::uint64_t unreadable = 0;             ///< records that are none; they are left alone
  std::uint64_t errors = 0;                 ///< steps that failed; the next pass tries again
  std::optional<core::error> first_error{}; ///< of those
  bool blobs_swept = false;                 ///< this pass came to the end of the blobs
};

/// What went wrong beside the ledger, without harm: the reconciler makes up for it. Counts since the start.
struct job_queue_faults {
  std::uint64_t hints = 0;    ///< the queue could not be told, or not asked to forget
  std::uint64_t cleanups = 0; ///< blobs or index entries that could not be removed at once
};

/// Durable jobs over any three stores. The ledger is the truth: a job exists once its record does, a lease is held by
/// whom the record names, a job is done when the record says so. All changes are compare-and-swap of that one record,
/// so any number of queues, in any processes, may share the stores, and any of them may die between any two steps.
///
/// Work is done at least once; what counts is `complete` of the latest epoch, after the result's blob was published by
/// create-if-absent. The queue of hints only tells where to look.
///
/// Thread-safe, blocking. Errors are those of the stores; after one a step may have been made or not, and can be
/// repeated. Time and randomness come from outside.
class job_queue {
 public:
  job_queue(job_stores stores, job_rules rules = {}, wall_clock clock = system_clock(),
            random_bits random = system_random());

  /// A name for a job to come, so that its input can be put first.
  [[nodiscard]] std::string new_id();

  /// Accepts a job: when it returns, the job will be done, or dead with a reason, or cancelled. After an error it can
  /// be repeated, with the same id or key. Errors beside those of the stores: `invalid_argument`; `not_found` where the
  /// input is not there, or was put so long ago (half of `orphan_after`) that it may be removed any moment.
  [[nodiscard]] core::expected<put_answer> put(const job_request& request);

  [[nodiscard]] core::expected<std::optional<job>> get(std::string_view id);
  [[nodiscard]] core::expected<std::optional<job>> find(std::string_view idempotency_key);

  /// Jobs in a state (or all), oldest first. May return fewer than `limit` and a `next`.
  [[nodiscard]] core::expected<job_page> list(std::optional<job_state> state, std::string_view after,
                                              std::size_t limit);
  /// Jobs in a state (or all) that were made before another, newest first; from the newest on where `before` is empty.
  /// May return fewer than `limit` and a `next`, which is then the place to go on. Its work grows with the jobs that
  /// are returned or passed over, not with those that are kept.
  [[nodiscard]] core::expected<job_page> newest(std::optional<job_state> state, std::string_view before,
                                                std::size_t limit);
  [[nodiscard]] core::expected<job_page> dead_letters(std::string_view after, std::size_t limit);

  /// About how many hints there are: jobs that wait or are worked on, and repeated hints.
  [[nodiscard]] core::expected<std::uint64_t> depth();

  /// A job to work on, or nullopt where the queue knows of none. While the queue cannot be asked, jobs are looked for
  /// in the ledger; its error comes back where there are none.
  [[nodiscard]] core::expected<std::optional<claim>> lease(std::string_view worker, milliseconds duration);

  /// Renews a lease; at a third of its duration is a good time.
  [[nodiscard]] core::expected<standing> extend(claim& held, milliseconds duration);

  /// Notes how far the work is and where another would go on, and renews the lease. Errors beside those of the stores:
  /// `too_large` for a checkpoint.
  [[nodiscard]] core::expected<standing> progress(claim& held, frame_progress frames, std::string checkpoint,
                                                  milliseconds duration);

  /// Ends a job whose result (`result_name`) is published. Error beside those of the stores: `invalid_argument` where
  /// there is none.
  [[nodiscard]] core::expected<standing> complete(claim& held);

  /// Ends an attempt: the job is tried again after a while, or is dead after its last attempt or where trying again is
  /// `pointless`.
  enum class retry : std::uint8_t { worthwhile, pointless };
  [[nodiscard]] core::expected<standing> fail(claim& held, std::string error, retry another = retry::worthwhile);

  /// Hands a job back unfinished, for another worker to go on at once; not counted as an attempt.
  [[nodiscard]] core::expected<standing> give_back(claim& held);

  /// The job afterwards: cancelled, or in the final state that it had; nullopt where there is none.
  [[nodiscard]] core::expected<std::optional<job>> cancel(std::string_view id);

  /// Queues a dead job again, with all its attempts and its checkpoint. The job afterwards, in whatever state; nullopt
  /// where there is none.
  [[nodiscard]] core::expected<std::optional<job>> requeue(std::string_view id);

  /// Puts right what crashes, lost hints and lost answers have left: one pass over all open jobs and a part of the
  /// blobs. Every process should call it every 15 s or so. Error: where the ledger cannot be listed.
  [[nodiscard]] core::expected<reconcile_report> reconcile();

  [[nodiscard]] jobs::blobs& blobs() noexcept { return *stores_.blobs; }
  [[nodiscard]] const job_rules& rules() const noexcept { return rules_; }
  [[nodiscard]] job_queue_faults faults() const noexcept;

 private:
  struct taking;

  core::expected<std::optional<job>> visible(std::string_view id);
  core::expected<std::optional<job>> accept(std::string_view id);
  core::expected<bool> has_input(const job_request& request);
  core::expected<std::string> claim_key(const job& record);
  core::expected<bool> finish_published(const job& record);
  core::expected<taking> take(const std::string& id, std::string_view worker, milliseconds duration);
  template <class Edit>
  core::expected<standing> step(claim& held, Edit edit);
  void bury_or_retry(job& record, wall_time now, std::string error, bool pointless) const;
  void lose(job& record, wall_time now) const;
  void tell(std::string_view id);
  void forget(const hint& told);
  void hide(hint& told, milliseconds time);
  void release(const hint& told, milliseconds delay);
  core::expected<std::optional<claim>> lease_untold(std::string_view worker, milliseconds duration,
                                                    const core::error& why);
  core::expected<std::uint64_t> remove_blobs(const job& record);
  void clean_up(const job& record);

  struct pass;
  core::expected<void> reconcile_open(pass& run);
  core::expected<void> reconcile_job(pass& run, const entry& mark);
  core::expected<void> tell_again(pass& run);
  core::expected<void> reconcile_dead(pass& run);
  core::expected<void> forget_finished(pass& run);
  core::expected<void> forget_job(pass& run, const job& record, const std::string& version);
  core::expected<void> sweep_blobs(pass& run);

  milliseconds backoff(std::uint32_t attempts) const;

  job_stores stores_;
  job_rules rules_;
  wall_clock clock_;
  random_bits random_;
  std::mutex sweep_mutex_;
  std::string sweep_after_;  ///< last blob looked at
  std::string untold_after_; ///< last index entry looked at while the queue was away
  std::atomic<std::uint64_t> hint_faults_{0};
  std::atomic<std::uint64_t> cleanup_faults_{0};
};

} // namespace penstock::jobs
