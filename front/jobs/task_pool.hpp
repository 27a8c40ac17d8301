#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace penstock::front {

/// A few threads for what may block. Thread-safe.
class task_pool {
 public:
  /// True: do it. False: the pool has stopped; say so to whoever waits.
  using task = std::function<void(bool go)>;

  task_pool(int threads, std::size_t most_waiting);
  ~task_pool();
  task_pool(const task_pool&) = delete;
  task_pool& operator=(const task_pool&) = delete;

  /// False, and the task is not called: too many wait, or the pool has stopped.
  [[nodiscard]] bool post(task what);

  /// Waits for the tasks that run; those that wait are called with false.
  void stop();

 private:
  void serve();

  const std::size_t most_waiting_;
  std::mutex mutex_; ///< guards the next ones
  std::condition_variable changed_;
  std::deque<task> waiting_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

} // namespace penstock::front
