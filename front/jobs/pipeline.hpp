#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/checkpoint.hpp"
#include "actors/result_sink.hpp"
#include "core/error.hpp"
#include "dispatch/ledger.hpp"

namespace penstock::front {

/// What a job is about: a lossless, finite stream.
struct job_input {
  std::string stream_id; ///< another one for each attempt of a job
  std::string uri;       ///< a file; its name does not tell of what kind it is
  bool picture = false;  ///< a single picture, by its first bytes
  double sample_fps = 0; ///< 0: every frame
};

/// How far a run is.
struct job_step {
  actors::stream_progress progress;
  dispatch::ledger ledger;        ///< of this run
  std::uint64_t frames_total = 0; ///< of the input, an estimate; 0: not known
};

/// How a run has ended. Its ledger has nothing in flight unless there is an error.
struct job_end {
  dispatch::ledger ledger;
  /// Why its source or a sink gave up; `cancelled` after `pipeline::cancel`. Frames dropped one by one are no error.
  std::optional<core::error> error;
};

/// One attempt to work on a job.
struct job_run {
  job_input input;
  std::optional<actors::stream_progress> from; ///< where an earlier attempt was
  /// Takes the results, on a thread of its own; `next_seq` says where it goes on, which is not before
  /// `from->emitted_before`.
  std::unique_ptr<actors::result_sink> sink;
  std::function<void(job_step)> progressed; ///< whenever `progress` has changed; does not block
  std::function<void(job_end)> ended;       ///< once, last, after the sink was closed; does not block
};

/// What works on jobs. Thread-safe.
class pipeline {
 public:
  pipeline() = default;
  pipeline(const pipeline&) = delete;
  pipeline& operator=(const pipeline&) = delete;
  virtual ~pipeline() = default;

  /// Begins; whatever goes wrong is told by `ended`. Calls back on any thread, also before it returns.
  virtual void start(job_run run) = 0;

  /// Ends a run early. Its `ended` still comes; nothing happens where it has come, or for ids that are not known.
  virtual void cancel(const std::string& stream_id) = 0;

  /// So many jobs wait to be started here or elsewhere, when they were last looked over.
  virtual void expect(std::uint64_t jobs) = 0;
};

} // namespace penstock::front
