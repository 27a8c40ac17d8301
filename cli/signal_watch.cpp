#include "cli/signal_watch.hpp"

#include <poll.h>

#include <condition_variable>
#include <mutex>

namespace penstock::cli {

signal_watch::signal_watch() : thread_{[this](const std::stop_token& over) { watch(over); }} {}

void signal_watch::watch(const std::stop_token& over) {
  constexpr int interval_ms = 100;
  while (!over.stop_requested()) {
    pollfd fd{signals_.fd(), POLLIN, 0};
    if (::poll(&fd, 1, interval_ms) > 0 && signals_.take()) stop_.request_stop();
  }
}

bool rest(std::chrono::milliseconds duration, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock{mutex};
  never.wait_for(lock, stop, duration, [] { return false; });
  return !stop.stop_requested();
}

} // namespace penstock::cli
