#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "front/jobs/job_board.hpp"
#include "front/jobs/task_pool.hpp"
#include "gateway/api.hpp"
#include "jobs/job_queue.hpp"

namespace penstock::front {

class result_reader;

/// Hands out the results of jobs, piece by piece, also while they run: the parts that are noted in a job's record, then
/// the rest of its result. Readers that have everything there is wait here, without a thread: for news from this
/// process, and for what one thread finds in the records of their jobs, which other processes write.
class result_desk {
 public:
  struct settings {
    std::chrono::milliseconds poll{1'000}; ///< between looks at a record that somebody waits for
    std::size_t piece_bytes = 128UL << 10U;
  };

  /// The pool outlives it.
  result_desk(std::shared_ptr<jobs::job_queue> queue, std::shared_ptr<job_board> board, task_pool& pool, settings with);
  ~result_desk();
  result_desk(const result_desk&) = delete;
  result_desk& operator=(const result_desk&) = delete;

  /// From the first line on. May outlive the desk, and then says that it is gone.
  [[nodiscard]] std::shared_ptr<gateway::byte_source> read(const jobs::job& record);

  /// Readers that wait, and all that ask later, get `unavailable`.
  void stop();

 private:
  friend class result_reader;
  using piece = gateway::completion<std::string>;

  struct shared;
  struct waiting {
    std::shared_ptr<result_reader> reader;
    piece done;
    std::uint64_t parts; ///< that the reader knows of
  };

  void poll();

  std::shared_ptr<shared> shared_;
  std::shared_ptr<job_board> board_;
  std::uint64_t listener_ = 0;
  std::thread thread_;
};

} // namespace penstock::front
