#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actors/frame_finder.hpp"
#include "actors/messages.hpp"
#include "media/decoder.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// What a sink is made for: one stream, one output.
struct sink_context {
  std::string stream;
  std::filesystem::path path;
  std::shared_ptr<const std::vector<std::string>> labels;
  double frames_per_s = 25; ///< of the results, nominal
};

/// Writes the results of one stream somewhere. One thread at a time.
class result_sink {
 public:
  result_sink() = default;
  result_sink(const result_sink&) = delete;
  result_sink& operator=(const result_sink&) = delete;
  virtual ~result_sink() = default;

  /// Appends a result; `frame` is its picture where the sink's kind needs frames, otherwise null. An error means that
  /// this result is not in the output; the sink may be tried again with the next.
  [[nodiscard]] virtual core::expected<void> write(const core::frame_result& result, const core::frame* frame) = 0;

  /// Makes what was written durable enough for a reader; called after a group of results. An error makes the whole
  /// group count as not written.
  [[nodiscard]] virtual core::expected<void> flush() = 0;

  /// Finishes the output.
  [[nodiscard]] virtual core::expected<void> close() = 0;
};

/// A line in the table of sinks.
struct sink_kind {
  std::string_view name;
  std::string_view description;
  bool needs_frames = false;
  core::expected<std::unique_ptr<result_sink>> (*open)(const sink_context&);
};

/// Every kind of sink that this program knows.
[[nodiscard]] std::span<const sink_kind> sink_kinds() noexcept;

/// The kind of that name, or null.
[[nodiscard]] const sink_kind* find_sink_kind(std::string_view name) noexcept;

/// Runs a `result_sink`. Detached, since writing may block.
using sink_actor = caf::typed_actor<caf::reacts_to<sink_results>, caf::reacts_to<sink_close>>;

/// What sinks send to their head.
using sink_outlet = caf::typed_actor<caf::reacts_to<sink_ack>, caf::reacts_to<sink_closed>>;

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

  sink_config config;

 private:
  core::expected<void> write_one(const core::frame_result& result);
  void report(const core::error& error);

  std::unique_ptr<result_sink> sink_;
  std::optional<frame_finder> frames_;
  bool failing_ = false; ///< the last attempt failed: an error is logged once until it works again
};

sink_actor::behavior_type sink(sink_actor::stateful_pointer<sink_state> self, const sink_config& config,
                               const sink_outlet& head);

} // namespace penstock::actors
