#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "cli/signals.hpp"

namespace penstock::cli {

/// Has a worker hand back its work when Azure is about to take its machine away (Scheduled Events), approves the event
/// once the worker has left, and says when it is over. On a thread of its own; where there is no metadata service it
/// only says so once.
class event_drain {
 public:
  using leave_function = std::function<void(std::chrono::microseconds grace)>;

  /// `endpoint`: of the metadata service. `leave`: called once, on the thread, with the time there is to finish; 0
  /// where there is none to spare (Spot).
  event_drain(const std::string& endpoint, leave_function leave);

  /// Whether an event is about to hit this machine.
  [[nodiscard]] bool is_wished() const noexcept { return wished_; }

  /// The worker has left: has the event approved, and waits until it is over without having hit this machine (true), or
  /// for a signal.
  [[nodiscard]] bool see_through(const signals& stop);

 private:
  void watch(const std::string& endpoint, const leave_function& leave, const std::stop_token& over);

  std::atomic<bool> wished_{false};
  std::atomic<bool> left_{false};
  std::jthread thread_; ///< last: it ends first
};

} // namespace penstock::cli
