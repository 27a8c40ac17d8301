#pragma once

#include <cstdint>

#include "topology/streams_config.hpp"

namespace penstock::topology {

/// How far a lossless source may run ahead of its results, per stream; whichever is reached first.
struct read_ahead_config {
  int packets = 1000;
  std::int64_t bytes = 24LL << 20;

  bool operator==(const read_ahead_config&) const = default;
};

struct dispatch_config {
  int attempts = 3; ///< failures after which a segment is quarantined
  duration lease_timeout = std::chrono::seconds{3};
  duration stall_timeout = std::chrono::seconds{60};     ///< a worker without progress on a segment loses it
  duration steal_after = std::chrono::milliseconds{500}; ///< backlog at which a live stream moves to another worker
  read_ahead_config read_ahead{};
  int requests = 16;                ///< pictures with a deadline that one worker has at a time
  std::int64_t retain = 64LL << 20; ///< bytes kept of one open segment for a second attempt

  bool operator==(const dispatch_config&) const = default;
};

/// When live streams shed.
struct live_config {
  int queue = 32;                             ///< frames of a stream in flight
  duration max_lag = std::chrono::seconds{1}; ///< age of the oldest frame in flight

  bool operator==(const live_config&) const = default;
};

struct media_config {
  std::int64_t max_pixels = 64'000'000; ///< larger pictures are refused before they are decoded

  bool operator==(const media_config&) const = default;
};

struct shutdown_config {
  duration grace = std::chrono::seconds{10}; ///< time to drain after SIGINT or SIGTERM

  bool operator==(const shutdown_config&) const = default;
};

struct limits_config {
  int open_streams = 16;         ///< finite streams open at the same time, the others wait; live streams do not count
  int quarantine_segments = 100; ///< in the folder, those of earlier runs among them
  std::int64_t quarantine_bytes = 256LL << 20; ///< of them

  bool operator==(const limits_config&) const = default;
};

} // namespace penstock::topology
