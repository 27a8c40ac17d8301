#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "actors/checkpoint.hpp"
#include "core/time.hpp"

namespace penstock::actors {

/// Keeps the checkpoint of a running head up to date from a thread of its own, since a disk may take its time. `put`
/// and `flush` from one thread.
class checkpoint_writer {
 public:
  /// At most so often.
  static constexpr std::chrono::milliseconds interval{200};

  /// `document` is in the folder already.
  checkpoint_writer(checkpoint_folder folder, checkpoint_document document);
  /// Writes what is not written yet.
  ~checkpoint_writer();
  checkpoint_writer(const checkpoint_writer&) = delete;
  checkpoint_writer& operator=(const checkpoint_writer&) = delete;

  /// The progress of the first streams of the document, in their order; what was put before and is not written yet is
  /// replaced. Returns at once. Failures are logged, once until it works again.
  void put(std::vector<stream_progress> progress);

  /// Waits until what was put is written, or cannot be.
  [[nodiscard]] core::expected<void> flush();

 private:
  void run();

  checkpoint_folder folder_;
  checkpoint_document document_; ///< of the thread
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::vector<stream_progress>> next_;
  core::expected<void> last_;
  bool writing_ = false;
  bool hurry_ = false;
  bool stop_ = false;
  std::thread thread_;
};

} // namespace penstock::actors
