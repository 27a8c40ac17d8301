#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/result_sink.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "jobs/job_queue.hpp"

namespace penstock::front {

struct part_settings {
  std::string id;          ///< of the job
  std::string name{};      ///< what people call it; stands in the lines of a picture
  std::uint64_t epoch = 0; ///< of the attempt
  std::shared_ptr<const std::vector<std::string>> labels;
  std::uint64_t next_seq = 0;           ///< results before it are in parts of earlier attempts
  std::size_t part_bytes = 1UL << 20U;  ///< a part is published when it has so many,
  std::chrono::milliseconds age{2'000}; ///< or its first line is so old
};

/// Collects the results of one attempt as JSON lines and publishes them in parts. Shared by the sink, on whose thread
/// results come, and the runner, which sees how far the parts are and publishes those that have waited. Thread-safe;
/// may block for as long as the store does.
class part_writer {
 public:
  /// `published` is called after each part, on the thread that published it.
  part_writer(std::shared_ptr<jobs::job_queue> queue, part_settings settings, std::function<void()> published = {});

  /// A line is in memory until its part is published. The first error of the store is that of all later calls: what
  /// follows a gap is of no use.
  [[nodiscard]] core::expected<void> write(const core::frame_result& result);
  /// Publishes what has come together, if it is large or old enough.
  [[nodiscard]] core::expected<void> flush(core::time_point now);
  /// Publishes all there is.
  [[nodiscard]] core::expected<void> close();
  /// Nothing is published from now on but what is being published; writes are swallowed.
  void abandon();

  struct state {
    std::uint64_t durable_seq = 0; ///< results before it are in parts, of this attempt or earlier ones
    std::uint64_t parts = 0;       ///< of this attempt
    std::optional<core::error> error;
  };
  /// Does not wait for the store.
  [[nodiscard]] state seen() const;

  [[nodiscard]] std::uint64_t next_seq() const noexcept { return settings_.next_seq; }

 private:
  core::expected<void> publish(std::unique_lock<std::mutex>& lock);

  const std::shared_ptr<jobs::job_queue> queue_;
  const part_settings settings_;
  const std::function<void()> published_;
  std::mutex mutex_; ///< guards the next ones, also while a part is being published
  std::string lines_;
  std::uint64_t lines_end_ = 0; ///< one past the seq of the last line
  core::time_point lines_since_{};
  mutable std::mutex state_mutex_; ///< guards the next ones; locked after `mutex_`
  state state_;
  bool abandoned_ = false;
};

/// The sink of one attempt at a job.
class job_sink final : public actors::result_sink {
 public:
  explicit job_sink(std::shared_ptr<part_writer> parts) : parts_{std::move(parts)} {}

  [[nodiscard]] core::expected<void> write(const core::frame_result& result, const core::frame*) override {
    return parts_->write(result);
  }
  [[nodiscard]] core::expected<void> flush() override { return parts_->flush(core::clock::now()); }
  [[nodiscard]] std::optional<std::uint64_t> next_seq() const noexcept override { return parts_->next_seq(); }
  [[nodiscard]] core::expected<void> close() override { return parts_->close(); }

 private:
  std::shared_ptr<part_writer> parts_;
};

} // namespace penstock::front
