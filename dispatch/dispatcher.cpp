#include "dispatch/dispatcher.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "dispatch/dispatcher_state.hpp"

namespace penstock::dispatch {

dispatcher::dispatcher(dispatcher_config config, std::uint32_t epoch)
    : state_{std::make_unique<state>(config, epoch)} {}

dispatcher::~dispatcher() = default;
dispatcher::dispatcher(dispatcher&&) noexcept = default;
dispatcher& dispatcher::operator=(dispatcher&&) noexcept = default;

segment_state* dispatcher::state::find(core::segment_id id) noexcept {
  auto* s = id.epoch == epoch ? find(id.stream) : nullptr;
  return s && s->segments.contains(id.number) ? &s->segments[id.number] : nullptr;
}

segment_state* dispatcher::state::held_by(core::worker_id worker, core::segment_id id) noexcept {
  auto* g = find(id);
  if (g && g->holder == worker && workers.find(worker)) return g;
  ++(id.epoch == epoch ? ignored.not_held : ignored.stale);
  return nullptr;
}

// ---- from sources

void dispatcher::add_stream(core::stream_id stream, const stream_limits& limits, actions& out,
                            std::uint64_t first_segment) {
  auto& s = state_->streams.add(stream, {});
  s.id = stream;
  s.limits = limits;
  s.segments = window<segment_state>{first_segment};
  state_->top_up(s, out);
}

void dispatcher::segment_opened(core::stream_id stream, std::uint64_t number, core::codec_ptr codec,
                                core::time_point now, actions&) {
  auto* s = state_->find(stream);
  if (!s) return;
  assert(number == s->segments.end_number());
  static_cast<void>(number);
  segment_state g;
  g.codec = std::move(codec);
  g.touched = now;
  if (state_->deadline) s->cut(g, core::drop_reason::shutdown);
  s->segments.push_back(std::move(g));
}

void dispatcher::packet(core::result_id id, const core::packet_ptr& packet, bool owned, bool wanted,
                        core::time_point now, actions& out) {
  auto* s = state_->find(id.segment.stream);
  if (!s || !s->segments.contains(id.segment.number)) return;
  const auto number = id.segment.number;
  if (owned || !packet->shown) { // not a keyframe's copy
    if (s->granted > 0) --s->granted;
    if (owned) ++s->outstanding;
    const auto size = packet->bytes.size();
    s->packet_bytes = s->packet_bytes == 0 ? size : s->packet_bytes - s->packet_bytes / 16 + size / 16;
  }
  if (s->live()) state_->shed_old(*s, now, out);
  auto* g = &s->segments[number];
  if (g->cut) {
    if (wanted) out.emplace_back(drop_frame{id, *g->cut});
    state_->top_up(*s, out);
    return;
  }
  if (wanted && s->live() && state_->should_shed(*s, now)) {
    wanted = false;
    out.emplace_back(drop_frame{id, core::drop_reason::shed});
  }
  assert(id.ordinal == g->kept.packets().end_number());
  g->kept.append(packet, wanted, now, s->sums);
  if (g->leased()) {
    g->sent = id.ordinal + 1;
    out.emplace_back(send_packet{g->holder, id.segment, id.ordinal, packet, wanted});
  } else {
    state_->want_lease(*s, number, now, out);
  }
  const bool large = g->kept.sums().bytes > state_->config.segment_retain_bytes;
  if (g->leased() || !large) g->kept.pass_processed(s->sums);
  if (large && g->leased()) g->kept.let_go_processed(s->sums);
  if (large && !g->leased() && s->live()) state_->give_up(*s, number, core::drop_reason::shed, out);
  state_->top_up(*s, out);
}

void dispatcher::packet_refused(core::stream_id stream, bool shown, actions& out) {
  auto* s = state_->find(stream);
  if (!s) return;
  if (s->granted > 0) --s->granted;
  if (shown) ++s->outstanding;
  state_->top_up(*s, out);
}

void dispatcher::segment_closed(core::stream_id stream, std::uint64_t number, core::time_point now, actions& out) {
  auto* s = state_->find(stream);
  if (!s || !s->segments.contains(number)) return;
  auto& g = s->segments[number];
  if (g.closed) return;
  if (g.leased() && !g.cut) out.emplace_back(send_close{g.holder, state_->id_of(*s, number)});
  s->close(g, now);
  state_->finish_if_done(*s, number);
}

void dispatcher::stream_ended(core::stream_id stream, core::time_point, actions&) {
  auto* s = state_->find(stream);
  if (!s) return;
  s->ended = true;
  if (s->live() && s->segments.empty()) state_->move_place(*s, nullptr);
}

void dispatcher::remove_stream(core::stream_id stream, core::time_point now, actions& out, core::drop_reason why) {
  auto* s = state_->find(stream);
  if (!s) return;
  const auto policy = s->limits.policy;
  state_->give_up_all(*s, why, out);
  state_->forget(*s);
  state_->place_after(policy, now, out);
}

void dispatcher::forget_stream(core::stream_id stream) {
  auto* s = state_->find(stream);
  if (!s) return;
  s->leaving = true;
  if (s->segments.empty()) state_->forget(*s);
}

/// `s` is gone afterwards, and so is every list's entry of it.
void dispatcher::state::forget(stream_state& s) {
  if (s.live()) move_place(s, nullptr);
  if (s.in_turn) std::erase(turns, s.id);
  if (s.unplaced) std::erase(unplaced, s.id);
  streams.erase(s.id);
}

/// Those whose last lease has ended in another way than `segment_done`.
void dispatcher::state::forget_leaving() {
  std::vector<core::stream_id> gone;
  streams.for_each([&](const stream_state& s) {
    if (s.leaving && s.segments.empty()) gone.push_back(s.id);
  });
  for (const auto id : gone) forget(*find(id));
}

// ---- from workers

void dispatcher::worker_joined(core::worker_id worker, worker_capacity capacity, core::time_point now, actions& out) {
  assert(!state_->workers.find(worker));
  state_->workers.add(worker, capacity, now);
  state_->place_waiting(now, out);
}

void dispatcher::worker_credit(core::worker_id worker, std::uint32_t segments, core::time_point now, actions& out) {
  auto* w = state_->workers.find(worker);
  if (!w) return;
  state_->workers.heard(*w, now);
  const auto taken = std::min(segments, w->capacity.bulk - w->load.credit);
  w->load.credit += taken;
  state_->ignored.excess_credit += segments - taken;
  state_->workers.update(*w);
  state_->place_waiting(now, out);
}

void dispatcher::worker_heartbeat(core::worker_id worker, core::time_point now) {
  if (auto* w = state_->workers.find(worker)) state_->workers.heard(*w, now);
}

void dispatcher::worker_draining(core::worker_id worker, core::time_point now, actions& out) {
  auto* w = state_->workers.find(worker);
  if (!w) return;
  state_->workers.heard(*w, now);
  state_->workers.drain(*w);
  state_->place_waiting(now, out);
}

void dispatcher::worker_lost(core::worker_id worker, core::time_point now, actions& out, bool excused) {
  state_->lose_worker(worker, excused ? loss::excused : loss::noticed, now, out);
}

void dispatcher::worker_returned(core::worker_id worker) { state_->acquit(worker); }

void dispatcher::segment_done(core::worker_id worker, core::segment_id segment, core::time_point now, actions& out) {
  if (auto* w = state_->workers.find(worker)) state_->workers.heard(*w, now);
  auto* g = state_->held_by(worker, segment);
  if (!g) return;
  auto& s = *state_->find(segment.stream);
  if (const auto missing = g->kept.sums().pending; missing > 0 || !g->complete()) {
    state_->fail(s, segment.number, "its worker ended it with " + std::to_string(missing) + " frames missing", now,
                 out);
  } else {
    state_->end_lease(s, *g);
    state_->finish_if_done(s, segment.number);
  }
  const auto policy = s.limits.policy;
  if (s.leaving && s.segments.empty()) state_->forget(s);
  state_->place_after(policy, now, out);
}

void dispatcher::segment_failed(core::worker_id worker, core::segment_id segment, const core::error& why,
                                core::time_point now, actions& out) {
  if (auto* w = state_->workers.find(worker)) state_->workers.heard(*w, now);
  if (!state_->held_by(worker, segment)) return;
  auto& s = *state_->find(segment.stream);
  state_->fail(s, segment.number, why.message, now, out);
  state_->place_after(s.limits.policy, now, out);
}

bool dispatcher::may_have_outcome(core::result_id id) {
  const auto* g = state_->find(id.segment);
  if (!g || id.ordinal < g->sent) return true;
  ++state_->ignored.not_sent;
  return false;
}

// ---- from the collector

void dispatcher::frame_resolved(core::result_id id, core::time_point now, actions& out) {
  auto* g = state_->find(id.segment);
  auto* s = state_->find(id.segment.stream);
  if (!g || !g->kept.resolve(id.ordinal, s->sums)) return;
  g->touched = now;
  g->failures = g->deaths = g->lonely_deaths = 0;
  ++g->streak;
  g->suspect = false;
  g->kept.pass_processed(s->sums);
  if (g->leased() && g->kept.sums().bytes > state_->config.segment_retain_bytes) g->kept.let_go_processed(s->sums);
  if (s->request() && g->waiting && g->kept.sums().pending == 0) state_->stop_waiting(*s, id.segment.number);
  state_->finish_if_done(*s, id.segment.number);
  state_->top_up(*s, out);
}

void dispatcher::frames_settled(core::stream_id stream, std::uint32_t count, actions& out) {
  auto* s = state_->find(stream);
  if (!s) return;
  s->outstanding -= count;
  state_->top_up(*s, out);
}

// ---- time

void dispatcher::tick(core::time_point now, actions& out) {
  if (state_->deadline && now >= *state_->deadline) {
    state_->streams.for_each([&](stream_state& s) { state_->give_up_all(s, core::drop_reason::shutdown, out); });
    state_->forget_leaving();
    return;
  }
  state_->expire(now, out);
  bool leaving = false;
  state_->streams.for_each([&](stream_state& s) {
    leaving = leaving || s.leaving;
    if (!s.waits()) return;
    state_->check_leases(s, now, out);
    switch (s.limits.policy) {
    case stream_policy::live: state_->shed_old(s, now, out); break;
    case stream_policy::lossless: state_->unblock(s, now, out); break;
    case stream_policy::request: state_->drop_overdue(s, now, out); break;
    }
  });
  if (leaving) state_->forget_leaving();
  state_->place_waiting(now, out);
}

void dispatcher::shutdown(core::time_point now, core::time_point deadline, actions& out) {
  state_->deadline = deadline;
  state_->streams.for_each([&](stream_state& s) {
    for (auto n = s.segments.first(); n < s.segments.end_number(); ++n)
      if (s.segments.contains(n) && !s.segments[n].leased()) state_->give_up(s, n, core::drop_reason::shutdown, out);
  });
  if (now >= deadline) tick(now, out);
}

bool dispatcher::idle() const noexcept {
  std::size_t left = state_->leases;
  state_->streams.for_each([&](const stream_state& s) { left += s.sums.pending + s.sums.bytes; });
  return left == 0;
}

worker_load dispatcher::load_of(core::worker_id worker) const noexcept {
  const auto* w = std::as_const(state_->workers).find(worker);
  return w ? w->load : worker_load{};
}

stream_load dispatcher::load_of(core::stream_id stream) const noexcept {
  const auto* s = state_->find(stream);
  if (!s) return {};
  stream_load load;
  load.outstanding = static_cast<std::size_t>(std::max<std::int64_t>(s->outstanding, 0));
  load.wanted = s->sums.pending;
  load.retained_bytes = s->sums.bytes;
  for (const auto& g : s->segments)
    if (state_->needs_worker(g)) ++load.waiting;
  load.segments = s->segments.size();
  return load;
}

waiting_load dispatcher::waiting() const noexcept {
  waiting_load all;
  state_->streams.for_each([&](const stream_state& s) {
    for (const auto& g : s.segments) {
      if (!state_->needs_worker(g)) continue;
      ++all.segments;
      all.frames += g.kept.sums().pending;
      if (const auto since = g.kept.pending_since(); since && (!all.since || *since < *all.since)) all.since = since;
    }
  });
  return all;
}

std::size_t dispatcher::count_streams() const noexcept { return state_->streams.size(); }

std::size_t dispatcher::waiting_requests() const noexcept { return state_->requests.size() + state_->retried.size(); }

std::uint64_t dispatcher::failed_leases() const noexcept { return state_->failed_leases; }

const ignored_reports& dispatcher::ignored() const noexcept { return state_->ignored; }

} // namespace penstock::dispatch
