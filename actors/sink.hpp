#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "actors/frame_finder.hpp"
#include "actors/messages.hpp"
#include "actors/result_sink.hpp"
#include "media/decoder.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// Runs a `result_sink`. Detached, since writing may block.
using sink_actor = caf::typed_actor<caf::reacts_to<sink_results>, caf::reacts_to<sink_close>>;

/// What sinks send to their head.
using sink_outlet =
    caf::typed_actor<caf::reacts_to<sink_ack>, caf::reacts_to<sink_closed>, caf::reacts_to<sink_resumed>>;

struct sink_config {
  core::stream_id stream;
  std::size_t number = 0; ///< of the sink in its stream
  const sink_kind* kind = nullptr;
  sink_context context;
  media::decode_options decode; ///< for sinks that need frames
  metrics::sink_series metrics;
};

struct sink_state {
  static inline const char* name = "sink";

  void start(const sink_config& config);
  /// Writes a group of results; says of each whether it is in the output.
  [[nodiscard]] std::vector<bool> write(const sink_results& group);
  [[nodiscard]] std::optional<core::error> close();
  /// Where it goes on (for one that was started with `resume_seq`).
  [[nodiscard]] sink_resumed resumed() const;

  sink_config config;

 private:
  core::expected<void> write_one(const core::frame_result& result);
  void report(const core::error& error);

  std::unique_ptr<result_sink> sink_;
  std::optional<frame_finder> frames_;
  std::optional<core::error> not_resumed_; ///< it cannot go on
  std::uint64_t next_seq_ = 0;             ///< results before it are in the output
  bool failing_ = false;                   ///< the last attempt failed: an error is logged once until it works again
};

sink_actor::behavior_type sink(sink_actor::stateful_pointer<sink_state> self, const sink_config& config,
                               const sink_outlet& head);

} // namespace penstock::actors
