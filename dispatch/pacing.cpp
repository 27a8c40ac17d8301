#include <algorithm>

#include "dispatch/dispatcher_state.hpp"

namespace penstock::dispatch {

/// Grants a lossless source what fits into its limits, in portions.
void dispatcher::state::top_up(stream_state& s, actions& out) {
  if (!s.lossless() || s.ended || deadline) return;
  const auto room = [](std::size_t limit, std::size_t used) {
    return static_cast<std::int64_t>(limit) - static_cast<std::int64_t>(used);
  };
  constexpr auto portion = static_cast<std::int64_t>(min_read_ahead);
  const auto under_way = s.outstanding + s.granted;
  auto packets = static_cast<std::int64_t>(s.limits.read_ahead) - under_way;
  // Before the first packet nobody knows their size.
  const auto fit = s.packet_bytes > 0 ? room(s.limits.read_ahead_bytes, s.sums.unprocessed_bytes) /
                                            static_cast<std::int64_t>(s.packet_bytes)
                                      : portion;
  packets = std::max(std::min(packets, fit - s.granted), portion - under_way);
  if (packets < portion && (packets <= 0 || s.granted > 0)) return;
  s.granted += packets;
  out.emplace_back(grant{s.id, static_cast<std::uint32_t>(packets)});
}

/// Since when the oldest frame without an outcome is due, so that a decoder's own delay is no lag.
std::optional<core::time_point> dispatcher::state::lag_since(const stream_state& s) const {
  const auto oldest = oldest_pending(s);
  if (!oldest) return std::nullopt;
  const auto& g = s.segments[*oldest];
  return g.kept.due_since(static_cast<std::uint32_t>(g.codec->reorder_frames), g.closed);
}

/// Whether a live stream's next frame is one too many.
bool dispatcher::state::should_shed(const stream_state& s, core::time_point now) const {
  if (s.sums.pending >= s.limits.queue) return true;
  const auto lag = lag_since(s);
  return lag && now - *lag > s.limits.max_lag / 2;
}

/// Whether it is a request for which nobody waits any more.
bool dispatcher::state::overdue(const stream_state& s, core::time_point now) noexcept {
  return s.request() && s.limits.deadline && now >= *s.limits.deadline;
}

/// What of a request has its result only lacks its worker's word that it is done, and keeps its lease.
void dispatcher::state::drop_overdue(stream_state& s, core::time_point now, actions& out) {
  if (!overdue(s, now)) return;
  for (auto n = s.segments.first(); n < s.segments.end_number(); ++n)
    if (s.segments.contains(n) && s.segments[n].kept.sums().pending > 0)
      give_up(s, n, core::drop_reason::deadline, out);
}

/// A live stream beyond its lag starts anew at its next keyframe: open segments end here, waiting ones are dropped.
void dispatcher::state::shed_old(stream_state& s, core::time_point now, actions& out) {
  const auto lag = lag_since(s);
  if (!lag || now - *lag <= s.limits.max_lag) return;
  for (auto n = s.segments.first(); n < s.segments.end_number(); ++n) {
    if (!s.segments.contains(n)) continue;
    auto& g = s.segments[n];
    if (!g.leased()) {
      give_up(s, n, core::drop_reason::shed, out);
    } else if (!g.complete()) {
      s.cut(g, core::drop_reason::shed);
      out.emplace_back(send_close{g.holder, id_of(s, n)});
      finish_if_done(s, n);
    }
  }
}

} // namespace penstock::dispatch
