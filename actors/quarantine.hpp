#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/packet.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// A segment that was given up, for whoever wants to know why.
struct quarantined_segment {
  std::string stream;
  std::string source;
  core::segment_id id;
  std::string reason;
  std::vector<std::string> errors; ///< what its workers said, oldest first
  core::codec_ptr codec;
  std::vector<core::packet_ptr> packets; ///< in decode order; its beginning is missing if the head let go of it
};

struct quarantine_config {
  std::filesystem::path folder;
  std::uint64_t segments = 100; ///< in the folder, those that are there already among them
  std::uint64_t bytes = 256ULL << 20;
  metrics::counter refused{}; ///< segments that were not written
};

/// Writes given-up segments to `FOLDER/STREAM-EPOCH-SEGMENT/`: `reason.json`, and the packets as a file that plays
/// (`segment.nut`; pictures as the files they were), so that `penstock run` shows the fault again. What no container
/// takes becomes `packets.bin`, whose sizes are in `reason.json`. From a thread of its own, since a disk may take its
/// time; what does not fit is logged and counted. One thread at a time.
class quarantine_writer {
 public:
  /// Segments that wait for the disk; with more the newest are refused.
  static constexpr std::size_t most_waiting = 8;

  explicit quarantine_writer(quarantine_config config);
  /// Writes what waits.
  ~quarantine_writer();
  quarantine_writer(const quarantine_writer&) = delete;
  quarantine_writer& operator=(const quarantine_writer&) = delete;

  /// Returns at once.
  void put(quarantined_segment segment);

 private:
  void run();
  void write(const quarantined_segment& segment);
  void refuse(const quarantined_segment& segment, const std::string& why);

  quarantine_config config_;
  std::optional<std::uint64_t> segments_; ///< in the folder; unknown until the first one
  std::uint64_t bytes_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<quarantined_segment> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

} // namespace penstock::actors
