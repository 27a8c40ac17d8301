#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "jobs/job_queue.hpp"
#include "topology/nodes_config.hpp"

/// A worker that is a process: this very program, run again with the test case "a worker of the tests" alone. It works
/// until no job is open, checkpointing parts, and notes each `complete` that was granted in a file.
namespace penstock::test {

/// Result of an input: known to the tests and to the worker.
[[nodiscard]] std::string expected_result(const std::string& input);

/// Rules under which a lost worker is noticed soon.
[[nodiscard]] jobs::job_rules quick_rules();

/// What a worker does about an error of its stores.
enum class on_error { end, go_on };

class worker_process {
 public:
  worker_process(const topology::jobs_config& stores, const std::filesystem::path& log, const std::string& name,
                 on_error errors = on_error::end, jobs::milliseconds lease = jobs::milliseconds{600});
  worker_process(worker_process&& other) noexcept;
  worker_process& operator=(worker_process&& other) noexcept;
  ~worker_process(); ///< killed, if it runs

  void kill();
  /// Exit status when it has ended by itself within the time; -1 when it has not.
  int wait(std::chrono::seconds at_most);
  [[nodiscard]] bool is_running();

 private:
  pid_t pid_ = -1;
  int status_ = 0;
};

} // namespace penstock::test
