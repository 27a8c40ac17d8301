#include "front/jobs/task_pool.hpp"

#include <utility>

namespace penstock::front {

task_pool::task_pool(int threads, std::size_t most_waiting) : most_waiting_{most_waiting} {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

task_pool::~task_pool() { stop(); }

bool task_pool::post(task what) {
  const std::lock_guard lock{mutex_};
  if (stopped_ || waiting_.size() >= most_waiting_) return false;
  waiting_.push_back(std::move(what));
  changed_.notify_one();
  return true;
}

void task_pool::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
    changed_.notify_all();
  }
  for (auto& each : threads_) {
    if (each.joinable()) each.join();
  }
  std::deque<task> left;
  {
    const std::lock_guard lock{mutex_};
    left.swap(waiting_);
  }
  for (const auto& each : left) each(false);
}

void task_pool::serve() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    if (stopped_) return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    std::exchange(next, {})(true); // what it holds goes before the lock is taken
    lock.lock();
  }
}

} // namespace penstock::front
