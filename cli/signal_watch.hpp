#pragma once

#include <chrono>
#include <stop_token>
#include <thread>

#include "cli/signals.hpp"

namespace penstock::cli {

/// Asks to stop at the first SIGINT or SIGTERM. To be made before the first thread, which inherits the mask.
class signal_watch {
 public:
  signal_watch();
  ~signal_watch() = default;
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

 private:
  void watch(const std::stop_token& over);

  signals signals_;
  std::stop_source stop_;
  std::jthread thread_;
};

/// Lets time pass, or returns when it is asked to stop: false.
[[nodiscard]] bool rest(std::chrono::milliseconds duration, const std::stop_token& stop);

} // namespace penstock::cli
