#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "front/jobs/job_board.hpp"
#include "front/jobs/job_runner.hpp"
#include "front/jobs/result_desk.hpp"
#include "front/jobs/task_pool.hpp"
#include "gateway/api.hpp"
#include "jobs/job_queue.hpp"
#include "metrics/families.hpp"
#include "topology/nodes_config.hpp"

namespace penstock::front {

struct jobs_door_options {
  int threads = 4;                 ///< that ask the stores
  std::size_t most_waiting = 4096; ///< calls that wait for one; more are answered with `unavailable`
  result_desk::settings results{};
};

/// Durable jobs behind the HTTP door. No call blocks: what asks a store is done by a few threads of its own.
///
/// The key of a job is that of its owner, so nobody gets a job of somebody else by repeating a key. A uri must be
/// `blob:NAME`, a file in the store of jobs that is no file of a job.
class jobs_door final : public gateway::jobs_api {
 public:
  jobs_door(std::shared_ptr<jobs::job_queue> queue, std::shared_ptr<job_board> board, metrics::registry& metrics,
            jobs_door_options options = {});
  ~jobs_door() override;

  void open(gateway::job_request request, std::stop_token gone,
            gateway::completion<std::variant<std::shared_ptr<gateway::job_upload>, gateway::job_view>> done) override;
  void submit(gateway::job_request request, std::stop_token gone,
              gateway::completion<gateway::job_created> done) override;
  void get(const std::string& id, std::stop_token gone, gateway::completion<gateway::job_view> done) override;
  void list(gateway::job_filter filter, std::stop_token gone, gateway::completion<gateway::job_page> done) override;
  void cancel(const std::string& id, gateway::completion<gateway::change> done) override;
  void requeue(const std::string& id, gateway::completion<gateway::change> done) override;
  void results(const std::string& id, std::stop_token gone,
               gateway::completion<std::shared_ptr<gateway::byte_source>> done) override;

  /// Whoever waits, and all that ask later, get `unavailable`.
  void stop();

 private:
  struct shared;
  class upload;

  std::shared_ptr<shared> shared_; ///< uploads may outlive the door
  std::unique_ptr<result_desk> desk_;
};

/// Rules of the queue, and how jobs are run, as a topology has them.
[[nodiscard]] jobs::job_rules rules_of(const topology::jobs_config& config);
[[nodiscard]] job_runner_options runner_options_of(const topology::jobs_config& config);

} // namespace penstock::front
