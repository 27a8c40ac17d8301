#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "front/jobs/pipeline.hpp"

namespace penstock::test {

/// A made-up video: its file is the JSON of this.
struct made_up_video {
  std::uint64_t frames = 30;
  std::uint64_t seed = 1;
  std::int64_t pace_us = 0;              ///< for a frame
  std::vector<std::uint64_t> corrupt;    ///< frames that nothing can decode
  std::optional<std::uint64_t> waits_at; ///< nothing comes from this frame on until `fake_pipeline::go_on`
  std::optional<std::uint64_t> fails_at; ///< the source gives up there
  core::error failure{core::errc::corrupt, "the moov atom is missing"};
  bool deaf = false; ///< does not end when it is cancelled, until the pipeline is destroyed

  [[nodiscard]] std::string file() const;
};

/// The results of an undisturbed run.
[[nodiscard]] std::string results_of(const made_up_video& video, const std::string& job);

/// Works on made-up videos as a head would: segments of 10 frames, of which it tells when the sink has them, from a
/// thread for each run.
class fake_pipeline final : public front::pipeline {
 public:
  ~fake_pipeline() override;

  void start(front::job_run run) override;
  void cancel(const std::string& stream_id) override;
  void expect(std::uint64_t jobs) override { expected = jobs; }

  std::atomic<std::uint64_t> expected{0}; ///< jobs to come, as it was last told

  /// Lets those go on that wait.
  void go_on();

  struct seen {
    std::string stream_id;
    std::string uri;
    bool picture = false;
    std::optional<actors::stream_progress> from;
    std::uint64_t next_seq = 0;
  };
  [[nodiscard]] std::vector<seen> runs();
  [[nodiscard]] std::set<std::string> cancelled();
  /// What a runner has done that no head would bear.
  [[nodiscard]] std::vector<std::string> violations();
  /// Returns once `count` runs wait at their `waits_at`; false after ten seconds.
  [[nodiscard]] bool wait_for_waiting(std::size_t count);

 private:
  void work(front::job_run run);
  /// False: the run was cancelled.
  bool pass(const std::string& stream_id, const made_up_video& video, std::uint64_t seq);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::uint64_t passes_ = 0;
  std::size_t waiting_ = 0;
  std::set<std::string> cancelled_;
  std::vector<seen> runs_;
  std::vector<std::string> violations_;
  std::vector<std::thread> threads_;
};

} // namespace penstock::test
