#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/packet.hpp"
#include "core/result.hpp"
#include "dispatch/actions.hpp"
#include "dispatch/ledger.hpp"
#include "dispatch/limits.hpp"
#include "dispatch/stream_table.hpp"

namespace penstock::dispatch {

struct collector_config {
  /// Frames per stream given to the sinks and not yet acknowledged. Beyond it a lossless stream waits, as would a
  /// request.
  std::size_t sink_window = 256;
  /// Live: results in order that wait for room in the window; beyond it the oldest is dropped (`slow_sink`).
  std::size_t sink_pending = 32;

  [[nodiscard]] core::expected<void> validate() const;
};

/// Outcomes that changed nothing.
struct ignored_outcomes {
  std::uint64_t duplicate = 0; ///< the frame has its fate already
  std::uint64_t stale = 0;     ///< of another epoch
  std::uint64_t unknown = 0;   ///< of a stream or a frame nobody announced
};

/// Brings the outcomes of all streams back into presentation order, each frame once, and keeps the ledgers.
///
/// A result leaves as soon as the order allows it, also from a segment that is still open: decoders output in
/// presentation order, so a decoded frame proves that everything shown before it in its segment is known; and as no
/// codec reorders by more than 16 frames, more than 16 later ones prove it as well. Frames of a segment wait until the
/// segment before is closed and empty.
///
/// A request is in order like a lossless stream and has no checkpoints.
///
/// Expectations must come in the order of the segmenter's events, and an outcome after its frame's expectation.
/// Actions are appended to `out`. O(log n) per frame, n = frames of one segment under way. Not thread-safe.
class collector {
 public:
  using actions = std::vector<collector_action>;

  collector(collector_config config, std::uint32_t epoch);
  ~collector();
  collector(collector&&) noexcept;
  collector& operator=(collector&&) noexcept;

  /// A stream of this id must not exist. Segments and frames are numbered from `from` on.
  void add_stream(core::stream_id stream, stream_policy policy, const resume_point& from = {});

  /// `packets_before`: packets of the source before the segment's first one, for checkpoints.
  void segment_opened(core::stream_id stream, std::uint64_t number, std::uint64_t packets_before = 0);

  /// A packet of an open segment that owns its frame: the frame counts as received. `dropped`: its fate is known from
  /// the start (`sampled`). Packets that are decoded only are not announced.
  void frame_expected(core::result_id id, const core::packet& packet, std::optional<core::drop_reason> dropped,
                      actions& out);

  /// A shown packet outside of segments, standing before segment `before`: received and dropped. (If results of that
  /// segment went out already, the frame's number comes behind them.)
  void frame_refused(core::stream_id stream, std::uint64_t before, core::drop_reason reason, actions& out);

  void segment_closed(core::stream_id stream, std::uint64_t number, actions& out);

  /// A worker's outcome. Repeated, stale and unknown ones are ignored and counted.
  void outcome(core::frame_outcome&& outcome, actions& out);

  /// The dispatcher's decision; without effect if the frame has its fate already.
  void drop(core::result_id id, core::drop_reason reason, actions& out);

  /// Nothing more comes from the source; its segments are closed or will be, and those that will be count as cut short
  /// (see `checkpoint`).
  void stream_ended(core::stream_id stream, actions& out);

  /// The stream's sinks are done with that many emitted frames, the oldest ones; the failed ones are dropped (`why`).
  void acknowledged(core::stream_id stream, std::uint64_t delivered, std::uint64_t failed, actions& out,
                    core::drop_reason why = core::drop_reason::sink_error);

  /// Frees a finished stream; its ledger is gone with it.
  void remove_stream(core::stream_id stream);

  [[nodiscard]] const ledger& ledger_of(core::stream_id stream) const;
  [[nodiscard]] const ignored_outcomes& ignored() const noexcept { return ignored_; }
  [[nodiscard]] std::size_t count_streams() const noexcept { return streams_.size(); }

  /// Frames under way, counted in the tables and not by the books; linear. With it tests check the ledger.
  [[nodiscard]] std::uint64_t count_in_flight(core::stream_id stream) const;

  /// Rows of the stream's tables, whatever they stand for; linear. With it tests check that memory is bounded.
  [[nodiscard]] std::size_t count_rows(core::stream_id stream) const;

 private:
  struct stream_state;
  struct segment_state;

  void advance(stream_state& stream, actions& out);
  bool release_next(stream_state& stream, segment_state& segment, actions& out);
  static void drop(stream_state& stream, segment_state& segment, std::uint32_t ordinal, core::drop_reason reason);
  static void mark_done(stream_state& stream, bool whole);
  static void report_done(stream_state& stream, actions& out);

  collector_config config_;
  std::uint32_t epoch_;
  stream_table<stream_state> streams_;
  ignored_outcomes ignored_;
};

} // namespace penstock::dispatch
