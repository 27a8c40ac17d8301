#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/time.hpp"
#include "front/jobs/job_board.hpp"
#include "front/jobs/pipeline.hpp"
#include "front/jobs/spool.hpp"
#include "jobs/job_queue.hpp"
#include "metrics/families.hpp"

namespace penstock::front {

class attempt;

struct job_runner_options {
  std::string worker = "head"; ///< what leases say about who works
  int concurrent = 2;          ///< jobs at the same time
  double sample_fps = 0;       ///< of jobs; 0: every frame
  std::shared_ptr<const std::vector<std::string>> labels = std::make_shared<const std::vector<std::string>>();
  std::filesystem::path spool = "spool";
  std::uint64_t spool_bytes = 64ULL << 30U;
  jobs::milliseconds lease{30'000};           ///< renewed at each third
  jobs::milliseconds idle{1'000};             ///< between looks for work where there was none
  jobs::milliseconds reconcile_every{15'000}; ///< 0: somebody else does
  jobs::milliseconds stop_grace{10'000};      ///< what a stop gives runs to end
  std::size_t part_bytes = 1UL << 20U;        ///< of results, until a part is published,
  jobs::milliseconds part_age{2'000};         ///< or so long
};

/// Takes jobs from the queue and has the pipeline work on them, until it is stopped. Any number of runners, in any
/// processes, may share a queue.
///
/// What is noted of a job is always in parts already, so an attempt may end at any moment, by any means, and the next
/// one goes on. The result is published after it was noted that all of it is in parts, by whoever notices first.
class job_runner {
 public:
  /// Starts working. The pipeline and the registry outlive it.
  job_runner(std::shared_ptr<jobs::job_queue> queue, pipeline& work, std::shared_ptr<job_board> board,
             metrics::registry& metrics, job_runner_options options);
  ~job_runner();
  job_runner(const job_runner&) = delete;
  job_runner& operator=(const job_runner&) = delete;

  /// Takes no more jobs; ends what runs, notes how far it is, and gives it back to the queue. Runs that do not end
  /// within `stop_grace` are given back all the same. May be called again.
  void stop();

  /// Takes no more jobs, but goes on with what runs. `stop` ends those, too.
  void drain();

  /// Jobs that are being worked on.
  [[nodiscard]] std::size_t running() const;

 private:
  void serve();
  void work_on(jobs::claim held);
  void reconcile();
  void heard(const std::string& id, job_news what);
  [[nodiscard]] bool wait_for_work(std::uint64_t seen);

  const std::shared_ptr<jobs::job_queue> queue_;
  pipeline& pipeline_;
  const std::shared_ptr<job_board> board_;
  metrics::registry& metrics_;
  metrics::job_series series_;
  const job_runner_options options_;
  spool spool_;
  mutable std::mutex mutex_; ///< guards the next ones
  std::condition_variable changed_;
  bool draining_ = false;
  std::optional<core::time_point> stop_by_;
  std::uint64_t calls_ = 0; ///< how often there was news of work
  bool failing_ = false;    ///< the queue could not be asked; logged once until it can
  std::vector<attempt*> attempts_;
  std::uint64_t listener_ = 0;
  std::vector<std::thread> threads_;
};

} // namespace penstock::front
