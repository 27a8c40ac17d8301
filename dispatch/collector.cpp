#include "dispatch/collector.hpp"

#include <algorithm>
#include <cassert>
#include <functional>
#include <string>
#include <utility>

#include "dispatch/window.hpp"

namespace penstock::dispatch {

namespace {

/// No codec has more frames than this that are decoded before another one and shown after it (H.264, H.265: 16).
constexpr std::size_t max_reorder = 16;

enum class fate : std::uint8_t {
  none,     ///< not a frame of this segment
  expected, ///< no outcome yet
  result,   ///< has objects, waits for its turn
  dropped,  ///< counted as dropped, waits for its turn
  gone,     ///< has left in order
};

struct frame_state {
  fate now = fate::none;
  int width_px = 0;
  int height_px = 0;
  core::media_time pts{0};
  core::time_point captured{};
  std::string name;
  std::vector<core::detection> objects;
  core::stage_times times;
};

/// Whether a frame was dropped for this reason because the source was not to go on.
bool was_stopped(core::drop_reason reason) noexcept {
  return reason == core::drop_reason::shutdown || reason == core::drop_reason::cancelled;
}

using turn = std::pair<core::media_time, std::uint32_t>; ///< pts and ordinal

/// All frames of the segments before this one have left.
struct mark {
  std::uint64_t segment = 0;
  std::uint64_t seq = 0;
  std::uint64_t emitted = 0;            ///< frames of the stream emitted before it
  std::optional<std::uint64_t> packets; ///< unknown until the segment begins
};

} // namespace

struct collector::segment_state {
  window<frame_state> frames;                        ///< by ordinal
  std::vector<turn> order;                           ///< heap, earliest first, of frames that have not left
  core::media_time proven = core::media_time::min(); ///< everything shown up to here is known
  std::uint64_t refused_before = 0;                  ///< frames outside of segments that stand before this one
  std::uint64_t packets_before = 0;                  ///< of the source
  bool closed = false;
  bool whole = true; ///< the source was not stopped in it, and nothing of it was dropped because it was to stop
};

struct collector::stream_state {
  core::stream_id id;
  stream_policy policy = stream_policy::lossless;
  ledger books;
  window<segment_state> segments;   ///< by number
  std::uint64_t refused_at_end = 0; ///< frames outside of segments behind all that are open
  window<core::frame_result> ready; ///< live: in order, waiting for room in the sinks' window
  window<mark> marks;               ///< lossless: waiting for the sinks; fewer than there are unacknowledged frames
  std::uint64_t next_seq = 0;
  std::uint64_t delivered_before = 0; ///< seq; by an earlier life
  std::uint64_t emitted = 0;
  std::uint64_t unacknowledged = 0;
  bool whole = true; ///< all segments so far were
  bool ended = false;
  bool finished = false;
};

core::expected<void> collector_config::validate() const {
  if (sink_window == 0) return core::fail(core::errc::bad_config, "sink_window: 0 is below 1");
  return {};
}

collector::collector(collector_config config, std::uint32_t epoch) : config_{config}, epoch_{epoch} {}
collector::~collector() = default;
collector::collector(collector&&) noexcept = default;
collector& collector::operator=(collector&&) noexcept = default;

void collector::add_stream(core::stream_id stream, stream_policy policy, const resume_point& from) {
  auto& s = streams_.add(stream, {});
  s.id = stream;
  s.policy = policy;
  s.segments = window<segment_state>{from.segment};
  s.next_seq = from.seq;
  s.delivered_before = from.delivered_before;
}

void collector::remove_stream(core::stream_id stream) { streams_.erase(stream); }

void collector::segment_opened(core::stream_id stream, std::uint64_t number, std::uint64_t packets_before) {
  auto* s = streams_.find(stream);
  if (!s) return;
  assert(number == s->segments.end_number());
  segment_state segment;
  segment.packets_before = packets_before;
  if (!s->marks.empty() && s->marks.back().segment == number) s->marks.back().packets = packets_before;
  segment.refused_before = std::exchange(s->refused_at_end, 0);
  s->segments.push_back(std::move(segment));
}

void collector::frame_expected(core::result_id id, const core::packet& packet, std::optional<core::drop_reason> dropped,
                               actions& out) {
  auto* s = streams_.find(id.segment.stream);
  if (!s) return;
  assert(s->segments.contains(id.segment.number));
  auto& segment = s->segments[id.segment.number];
  assert(id.ordinal >= segment.frames.end_number());
  while (segment.frames.end_number() < id.ordinal) segment.frames.push_back({});
  ++s->books.received;
  frame_state frame;
  frame.now = dropped ? fate::dropped : fate::expected;
  frame.pts = packet.pts;
  frame.captured = packet.captured;
  frame.name = packet.name;
  segment.frames.push_back(std::move(frame));
  segment.order.emplace_back(packet.pts, id.ordinal);
  std::push_heap(segment.order.begin(), segment.order.end(), std::greater<>{});
  if (dropped) s->books.drop(*dropped);
  if (dropped || segment.order.size() > max_reorder) advance(*s, out);
}

void collector::frame_refused(core::stream_id stream, std::uint64_t before, core::drop_reason reason, actions& out) {
  auto* s = streams_.find(stream);
  if (!s) return;
  ++s->books.received;
  s->books.drop(reason);
  if (s->segments.contains(before))
    ++s->segments[before].refused_before;
  else
    ++s->refused_at_end;
  advance(*s, out);
}

void collector::segment_closed(core::stream_id stream, std::uint64_t number, actions& out) {
  auto* s = streams_.find(stream);
  if (!s || !s->segments.contains(number)) return;
  s->segments[number].closed = true;
  if (s->ended) s->segments[number].whole = false;
  advance(*s, out);
}

void collector::outcome(core::frame_outcome&& outcome, actions& out) {
  const auto& id = outcome.id;
  if (id.segment.epoch != epoch_) {
    ++ignored_.stale;
    return;
  }
  auto* s = streams_.find(id.segment.stream);
  if (!s || id.segment.number >= s->segments.end_number()) {
    ++ignored_.unknown;
    return;
  }
  if (id.segment.number < s->segments.first()) {
    ++ignored_.duplicate;
    return;
  }
  auto& segment = s->segments[id.segment.number];
  if (id.ordinal >= segment.frames.end_number()) {
    ++ignored_.unknown;
    return;
  }
  if (id.ordinal < segment.frames.first()) {
    ++ignored_.duplicate;
    return;
  }
  auto& frame = segment.frames[id.ordinal];
  if (frame.now != fate::expected) {
    ++(frame.now == fate::none ? ignored_.unknown : ignored_.duplicate);
    return;
  }
  if (outcome.dropped) {
    drop(*s, segment, id.ordinal, *outcome.dropped);
  } else {
    frame.now = fate::result;
    frame.width_px = outcome.width_px;
    frame.height_px = outcome.height_px;
    frame.objects = std::move(outcome.objects);
    frame.times = outcome.times;
    segment.proven = std::max(segment.proven, frame.pts);
  }
  out.emplace_back(dispatch::frame_resolved{id});
  advance(*s, out);
}

void collector::drop(core::result_id id, core::drop_reason reason, actions& out) {
  auto* s = streams_.find(id.segment.stream);
  if (!s || id.segment.epoch != epoch_ || !s->segments.contains(id.segment.number)) return;
  auto& segment = s->segments[id.segment.number];
  if (!segment.frames.contains(id.ordinal) || segment.frames[id.ordinal].now != fate::expected) return;
  drop(*s, segment, id.ordinal, reason);
  advance(*s, out);
}

void collector::drop(stream_state& s, segment_state& segment, std::uint32_t ordinal, core::drop_reason reason) {
  segment.frames[ordinal].now = fate::dropped;
  if (was_stopped(reason)) segment.whole = false;
  s.books.drop(reason);
}

void collector::stream_ended(core::stream_id stream, actions& out) {
  auto* s = streams_.find(stream);
  if (!s) return;
  s->ended = true;
  advance(*s, out);
}

void collector::acknowledged(core::stream_id stream, std::uint64_t delivered, std::uint64_t failed, actions& out,
                             core::drop_reason why) {
  auto* s = streams_.find(stream);
  if (!s) return;
  assert(delivered + failed <= s->unacknowledged);
  s->unacknowledged -= delivered + failed;
  s->books.delivered += delivered;
  s->books.drop(why, failed);
  if (was_stopped(why) && failed > 0) {
    s->whole = false;
    s->marks.clear();
  }
  advance(*s, out);
}

/// Lets go what may go: the heart of the collector.
void collector::advance(stream_state& s, actions& out) {
  while (!s.ready.empty() && s.unacknowledged < config_.sink_window) {
    ++s.unacknowledged;
    ++s.emitted;
    out.emplace_back(emit{std::move(s.ready.front())});
    s.ready.pop_front();
  }
  std::uint64_t settled = 0;
  const auto pass_refused = [&](std::uint64_t& refused) {
    s.next_seq += refused;
    settled += std::exchange(refused, 0);
  };
  while (!s.segments.empty()) {
    auto& segment = s.segments.front();
    pass_refused(segment.refused_before);
    while (!segment.order.empty() && release_next(s, segment, out)) ++settled;
    if (!segment.closed || !segment.order.empty()) break;
    const bool whole = segment.whole;
    s.segments.pop_front();
    if (s.policy == stream_policy::lossless) mark_done(s, whole);
  }
  if (s.segments.empty()) pass_refused(s.refused_at_end);
  if (settled > 0) out.emplace_back(frames_settled{s.id, static_cast<std::uint32_t>(settled)});
  if (!s.marks.empty()) report_done(s, out);
  if (s.ended && !s.finished && s.segments.empty() && s.ready.empty() && s.unacknowledged == 0) {
    s.finished = true;
    out.emplace_back(stream_finished{s.id});
  }
}

/// The first segment has gone, all of it.
void collector::mark_done(stream_state& s, bool whole) {
  s.whole = s.whole && whole;
  if (!s.whole) return;
  mark m{s.segments.first(), s.next_seq, s.emitted, std::nullopt};
  if (!s.segments.empty()) m.packets = s.segments.front().packets_before;
  if (!s.marks.empty() && s.marks.back().emitted == m.emitted)
    s.marks.back() = m;
  else
    s.marks.push_back(m);
}

/// The last mark that the sinks have reached becomes a checkpoint.
void collector::report_done(stream_state& s, actions& out) {
  const auto acknowledged = s.emitted - s.unacknowledged;
  std::optional<checkpoint> reached;
  while (!s.marks.empty() && s.marks.front().emitted <= acknowledged && s.marks.front().packets) {
    const auto& m = s.marks.front();
    reached = checkpoint{s.id, m.segment, m.seq, *m.packets};
    s.marks.pop_front();
  }
  if (reached) out.emplace_back(*reached);
}

/// The next frame of the first segment leaves in order, if it may.
bool collector::release_next(stream_state& s, segment_state& segment, actions& out) {
  const auto [pts, ordinal] = segment.order.front();
  auto& frame = segment.frames[ordinal];
  if (frame.now == fate::expected) return false;
  if (!segment.closed && pts > segment.proven && segment.order.size() <= max_reorder + 1) return false;
  const bool room = s.ready.empty() && s.unacknowledged < config_.sink_window;
  if (frame.now == fate::result && s.next_seq < s.delivered_before) {
    ++s.books.delivered;
  } else if (frame.now == fate::result) {
    if (!room && s.policy != stream_policy::live) return false;
    const core::segment_id id{s.id, epoch_, s.segments.first()};
    core::frame_result result{
        {id, ordinal},         s.next_seq,     frame.pts,  std::move(frame.objects), frame.width_px, frame.height_px,
        std::move(frame.name), frame.captured, frame.times};
    if (room) {
      ++s.unacknowledged;
      ++s.emitted;
      out.emplace_back(emit{std::move(result)});
    } else {
      s.ready.push_back(std::move(result));
      if (s.ready.size() > config_.sink_pending) {
        s.ready.pop_front();
        s.books.drop(core::drop_reason::slow_sink);
      }
    }
  }
  ++s.next_seq;
  frame.now = fate::gone;
  std::pop_heap(segment.order.begin(), segment.order.end(), std::greater<>{});
  segment.order.pop_back();
  while (!segment.frames.empty() &&
         (segment.frames.front().now == fate::gone || segment.frames.front().now == fate::none))
    segment.frames.pop_front();
  return true;
}

const ledger& collector::ledger_of(core::stream_id stream) const {
  static const ledger empty;
  const auto* s = streams_.find(stream);
  return s ? s->books : empty;
}

std::uint64_t collector::count_in_flight(core::stream_id stream) const {
  const auto* s = streams_.find(stream);
  if (!s) return 0;
  auto count = s->unacknowledged + s->ready.size();
  for (const auto& segment : s->segments)
    for (const auto& frame : segment.frames)
      if (frame.now == fate::expected || frame.now == fate::result) ++count;
  return count;
}

std::size_t collector::count_rows(core::stream_id stream) const {
  const auto* s = streams_.find(stream);
  if (!s) return 0;
  auto rows = s->segments.size() + s->ready.size() + s->marks.size();
  for (const auto& segment : s->segments) rows += segment.frames.size();
  return rows;
}

} // namespace penstock::dispatch
