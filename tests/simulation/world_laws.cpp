#include <algorithm>

#include "tests/simulation/world_parts.hpp"

// The rules of the house.

namespace penstock::test {

using core::drop_reason;

void world::check() const {
  if (!head_) return;
  const auto check_books = [&](const source& s) {
    const auto& books = head_->collecting().ledger_of(s.id);
    require(books.balanced(head_->collecting().count_in_flight(s.id)), "received = delivered + dropped + in flight");
    require(books.received == s.received, "every frame is received, once in a life");
    check_memory(s);
  };
  auto open = asked_.size();
  for (const auto& s : sources_) {
    check_books(*s);
    open += s->open ? 1 : 0;
  }
  // In a flood not after every event: what is wrong with a request stays so until it ends, where it is checked again.
  for (const auto id : asked_) {
    if (asked_.size() > 20 && counts_.events % 64 != 0) break;
    const auto& s = *requests_.at(id);
    check_books(s);
    check_request(s);
  }
  std::size_t leased = 0;
  const auto& core = head_->dispatching();
  for (const auto& [_, w] : workers_) {
    const auto load = core.load_of(w->id);
    require(load.credit <= w->runs->capacity.bulk, "credit is within the capacity");
    require(load.requests <= what_.head.dispatcher.requests_per_worker, "a worker has no more requests than it may");
    leased += load.requests;
  }
  require(leased <= core.count_streams(), "workers have the requests that there are");
  require(core.waiting_requests() <= asked_.size(), "requests wait that there are");
  require(head_->count_streams() == open && head_->collecting().count_streams() == open,
          "tables hold the streams that there are");
}

void world::check_memory(const source& s) const {
  const auto load = head_->dispatching().load_of(s.id);
  const auto rows = head_->collecting().count_rows(s.id);
  const auto& limits = s.config.limits;
  if (s.request()) {
    require(load.segments <= 1 && rows <= 2, "a request's tables are bounded");
    return;
  }
  const auto& shape = what_.streams[s.id.value].second;
  const auto gop = static_cast<std::size_t>(shape.max_gop + 8);
  if (s.live()) {
    const auto frames = (limits.queue + 4) * gop;
    require(load.wanted <= limits.queue, "a live stream's queue is bounded");
    require(load.retained_bytes <= frames * shape.max_bytes, "live memory is bounded");
    require(load.segments <= frames && rows <= 2 * frames + what_.head.collector.sink_pending,
            "a live stream's tables are bounded");
  } else {
    const auto frames = limits.read_ahead * 2 + 4 * gop;
    require(load.outstanding <= limits.read_ahead, "the source keeps to its grants");
    require(load.retained_bytes <= frames * shape.max_bytes, "lossless memory is bounded");
    require(load.segments <= frames && rows <= 2 * frames + what_.head.collector.sink_window,
            "a lossless stream's tables are bounded");
  }
}

void world::check_end_of_life(const source& s) const {
  if (!s.open) return;
  auto shown = s.shown;
  if (s.live()) {
    shown = s.live_pts;
    std::sort(shown.begin(), shown.end());
  }
  for (const auto& frame : s.emitted) {
    require(frame.seq < shown.size() && shown[frame.seq] == frame.pts,
            "seq is the frame's place in presentation order");
    require(frame.seq >= s.from.delivered_before, "what was delivered does not come again");
  }
  const auto& books = head_->collecting().ledger_of(s.id);
  if (s.live()) return;
  for (auto reason : {drop_reason::shed, drop_reason::slow_sink, drop_reason::shutdown})
    require(books.dropped_for(reason) == 0, "lossless streams lose nothing");
  if (counts_.quarantined == 0) require(books.dropped_for(drop_reason::poison) == 0, "poison only by quarantine");
}

void world::check_end() const {
  for (const auto& s : sources_) {
    check_end_of_life(*s);
    const bool whole = !s->live() && counts_.quarantined == 0 && what_.wrong.sink_fails == 0;
    if (whole) {
      require(std::equal(s->durable.begin(), s->durable.end(), s->wanted.begin(), s->wanted.end(),
                         [](const kept_frame& kept, std::uint64_t seq) { return kept.seq == seq; }),
              "the sinks have every frame that was asked for, as without interruption");
    }
    if (!s->open) continue;
    const auto& books = head_->collecting().ledger_of(s->id);
    require(books.in_flight() == 0, "nothing is in flight at the end");
    const auto settled = books.delivered + books.dropped_for(drop_reason::sink_error);
    require(settled >= s->emitted.size(), "what was emitted was delivered");
    if (!whole) continue;
    const auto seq = [&](std::uint64_t n) { return std::lower_bound(s->wanted.begin(), s->wanted.end(), n); };
    const auto before = std::max(s->from.seq, s->from.delivered_before);
    require(settled == s->emitted.size() + static_cast<std::uint64_t>(seq(before) - seq(s->from.seq)),
            "frames count as delivered once in a life");
  }
}

} // namespace penstock::test
