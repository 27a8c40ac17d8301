#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace penstock::front {

/// A few threads for what takes its time: disks, pictures. Thread-safe.
class errands {
 public:
  errands(std::size_t threads, std::size_t most_waiting);
  ~errands(); ///< what waits is not run, but destroyed
  errands(const errands&) = delete;
  errands& operator=(const errands&) = delete;

  /// False where too many wait already: it is not run then.
  [[nodiscard]] bool run(std::function<void()> errand);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::size_t most_waiting_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

} // namespace penstock::front
