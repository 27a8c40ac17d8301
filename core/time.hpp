#pragma once

#include <chrono>

namespace penstock::core {

/// The clock of every deadline, lease and latency. Core logic takes its time points as arguments.
using clock = std::chrono::steady_clock;
using time_point = clock::time_point;

/// Position on a stream's own timeline (presentation time stamps).
using media_time = std::chrono::microseconds;

/// Seconds as a floating-point number, for metrics and reports.
using seconds = std::chrono::duration<double>;

} // namespace penstock::core
