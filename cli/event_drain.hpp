#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "cli/signals.hpp"

namespace penstock::cli {

/// Has a worker hand back its work when Azure is about to take its machine away (Scheduled Events), approves the event
/// once the worker has left, and says when it is over. On a thread of its own; where there is no metadata service it
/// only says so once.
class event_drain {
 public:
  using leave_function = std::function<void(std::chrono::microseconds grace)>;

  /// `endpoint`: of the metadata service. `leave`: called on the thread with the time there is to finish, 0 where there
  /// is none to spare (Spot); and again when there is less.
  event_drain(const std::string& endpoint, leave_function leave);
  /// Does not wait for a request that is under way, which may take minutes; `leave` is not called any more.
  ~event_drain();
  event_drain(const event_drain&) = delete;
  event_drain& operator=(const event_drain&) = delete;

  /// Whether an event is about to hit this machine.
  [[nodiscard]] bool is_wished() const noexcept;
  /// Whether the worker was asked to leave, be it for an event that was called off since.
  [[nodiscard]] bool has_asked() const noexcept;

  /// The worker has left: has the event approved, and waits until it is over without having hit this machine (true), or
  /// for a signal.
  [[nodiscard]] bool see_through(const signals& stop);

 private:
  struct watch;
  std::shared_ptr<watch> watch_; ///< with its thread
};

} // namespace penstock::cli
