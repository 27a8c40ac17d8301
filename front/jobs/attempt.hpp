#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/time.hpp"
#include "front/jobs/job_board.hpp"
#include "front/jobs/job_note.hpp"
#include "front/jobs/job_runner.hpp"
#include "front/jobs/job_sink.hpp"
#include "front/jobs/pipeline.hpp"
#include "front/jobs/spool.hpp"
#include "jobs/job_queue.hpp"

namespace penstock::front {

/// What attempts of a runner have in common.
struct attempt_context {
  std::shared_ptr<jobs::job_queue> queue;
  pipeline& work;
  job_board& board;
  spool& files;
  const job_runner_options& options;
};

enum class attempt_end : std::uint8_t {
  done,
  failed,
  cancelled,
  given_back,
  lost, ///< the lease went to another, or will: the store could not be told
};

/// One attempt at a job: fetches its input, has the pipeline work on it, keeps its lease and its notes, and publishes
/// its result.
class attempt {
 public:
  attempt(const attempt_context& with, jobs::claim held);

  /// Blocks until it is over. Once.
  [[nodiscard]] attempt_end work();
  /// Instead: leaves the job to others, as if it had never been taken.
  [[nodiscard]] attempt_end give_back();

  // On any thread, while `work` is busy:

  /// The job's record may have changed.
  void look();
  /// Ends early; what has not ended at `deadline` is left.
  void stop(core::time_point deadline);

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  /// The job as this attempt last knew it; not while `work` is busy.
  [[nodiscard]] const jobs::job& record() const noexcept { return held_.record; }
  /// Why `work` has made a dead letter of it; empty where it has not.
  [[nodiscard]] const std::string& dead_of() const noexcept { return dead_of_; }

 private:
  /// What the pipeline's threads tell; outlives the attempt where a run does not end in time.
  struct mailbox {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<job_step> steps; ///< not noted yet, in order
    std::optional<job_end> end;
    bool part_published = false;
    bool look = false;
    std::optional<core::time_point> stop_by;
  };

  core::expected<std::string> fetch_input();
  void start(std::string uri);
  [[nodiscard]] core::error told_of(core::error why) const;
  attempt_end follow();
  attempt_end conclude(const job_end& end);
  attempt_end finish();
  attempt_end fail(const core::error& why, jobs::job_queue::retry another);

  bool note_due(core::time_point now);
  void gather();
  void note();
  core::expected<void> note_for_sure();
  core::expected<bool> assemble();

  bool tend();
  void renew();
  void stands(const core::expected<jobs::standing>& answer);
  void call_off();
  [[nodiscard]] bool pause(jobs::milliseconds time);
  [[nodiscard]] bool out_of_time();
  template <class Step>
  auto retried(Step step) -> decltype(step());

  const attempt_context with_;
  jobs::claim held_;
  const std::string id_;
  const std::string stream_id_;
  std::string address_; ///< of the input, on this machine
  const std::shared_ptr<mailbox> mail_ = std::make_shared<mailbox>();
  std::shared_ptr<part_writer> parts_;
  std::optional<spool::file> spooled_;

  job_note before_; ///< what the attempt began with
  job_note note_;   ///< what was, or is to be, noted
  std::optional<std::uint64_t> frames_total_;
  core::time_point started_{};
  core::time_point noted_at_{};
  bool changed_ = false;      ///< `note_`, since it was noted
  bool note_at_once_ = false; ///< there are parts that nobody knows of
  core::time_point renew_at_;
  std::optional<attempt_end> taken_; ///< the job is not ours any more
  bool called_off_ = false;
  std::string dead_of_;
};

} // namespace penstock::front
