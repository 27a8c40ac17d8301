#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "dispatch/collector.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/sampler.hpp"
#include "dispatch/segmenter.hpp"
#include "dispatch/stream_table.hpp"

namespace penstock::dispatch {

/// A stream that goes on where an earlier life of the head ended does not have its segment where the checkpoint says:
/// its source is not the one that was read then. It goes on nevertheless, at the segment of that number.
struct source_changed {
  core::stream_id stream;
};

/// What the outside has to do: the dispatcher's and collector's actions less those between the two.
using head_action = std::variant<send_open, send_packet, send_close, revoke, grant, quarantine, worker_expired, emit,
                                 checkpoint, source_changed, stream_finished>;

struct head_config {
  dispatcher_config dispatcher;
  collector_config collector;
  std::uint32_t epoch = 0;
};

/// Everything about one stream.
struct stream_config {
  stream_limits limits;
  core::codec_ptr codec;
  double sample_frames_per_s = 0;        ///< 0: all
  std::uint32_t min_segment_packets = 1; ///< see `segmenter`
  /// Lossless streams only: what an earlier life of the head did is passed over. The source is read from its beginning.
  std::optional<resume_point> resume;
};

/// The pure core of a head in one piece: segmenters, samplers, dispatcher and collector, wired as their contracts ask
/// for. An actor or a simulator feeds it events and carries out the actions, in their order. Not thread-safe.
class head {
 public:
  using actions = std::vector<head_action>;

  explicit head(head_config config);

  // ---- sources

  void add_stream(core::stream_id stream, const stream_config& config, core::time_point now, actions& out);
  /// The next packet in decode order. Ignored once the stream is finished or cancelled.
  void push(core::stream_id stream, const core::packet_ptr& packet, core::time_point now, actions& out);
  /// What follows was encoded anew (see `segmenter::set_codec`).
  void set_codec(core::stream_id stream, core::codec_ptr codec, core::time_point now, actions& out);
  /// The source has ended.
  void finish(core::stream_id stream, core::time_point now, actions& out);
  /// Ends the stream and gives up what is under way, for the reason `why`; `stream_finished` still comes.
  void cancel(core::stream_id stream, core::time_point now, actions& out,
              core::drop_reason why = core::drop_reason::shutdown);
  /// Frees a finished stream and its ledger.
  void remove_stream(core::stream_id stream);

  // ---- workers (contracts as in `dispatcher`)

  void worker_joined(core::worker_id worker, worker_capacity capacity, core::time_point now, actions& out);
  void worker_credit(core::worker_id worker, std::uint32_t segments, core::time_point now, actions& out);
  void worker_heartbeat(core::worker_id worker, core::time_point now);
  void worker_draining(core::worker_id worker, core::time_point now, actions& out);
  void worker_lost(core::worker_id worker, core::time_point now, actions& out, bool excused = false);
  void worker_returned(core::worker_id worker);
  void outcome(core::frame_outcome&& outcome, core::time_point now, actions& out);
  void segment_done(core::worker_id worker, core::segment_id segment, core::time_point now, actions& out);
  void segment_failed(core::worker_id worker, core::segment_id segment, const core::error& why, core::time_point now,
                      actions& out);

  // ---- sinks

  void acknowledged(core::stream_id stream, std::uint64_t delivered, std::uint64_t failed, core::time_point now,
                    actions& out, core::drop_reason why = core::drop_reason::sink_error);

  // ---- time

  void tick(core::time_point now, actions& out);
  /// Sources are to be stopped first. See `dispatcher::shutdown`.
  void shutdown(core::time_point now, core::time_point deadline, actions& out);

  [[nodiscard]] const dispatcher& dispatching() const noexcept { return dispatcher_; }
  [[nodiscard]] const collector& collecting() const noexcept { return collector_; }
  [[nodiscard]] std::size_t count_streams() const noexcept { return streams_.size(); }

 private:
  struct stream_state {
    segmenter cutter;
    sampler sampling;
    std::optional<resume_point> resume; ///< until its segment comes
    std::uint64_t first_segment = 0;    ///< earlier ones are passed over
    std::uint64_t packets = 0;          ///< pushed
    bool ended = false;
  };

  void route_segments(core::stream_id stream, stream_state& s, core::time_point now, actions& out);
  void pass_over(core::stream_id stream, stream_state& s, const segment_event& event);
  void settle(core::time_point now, actions& out);

  std::uint32_t epoch_;
  dispatcher dispatcher_;
  collector collector_;
  stream_table<stream_state> streams_;
  std::vector<segment_event> segment_events_;
  dispatcher::actions dispatcher_actions_;
  dispatcher::actions dispatcher_work_;
  collector::actions collector_actions_;
  collector::actions collector_work_;
};

} // namespace penstock::dispatch
