#include <algorithm>
#include <functional>

#include "dispatch/dispatcher_state.hpp"

namespace penstock::dispatch {

bool dispatcher::state::needs_worker(const segment_state& g) const noexcept {
  if (g.leased() || g.cut) return false;
  const auto& sums = g.kept.sums();
  return sums.pending > 0 || sums.bytes > config.segment_retain_bytes;
}

std::optional<std::uint64_t> dispatcher::state::oldest_pending(const stream_state& s) const noexcept {
  for (auto n = s.segments.first(); n < s.segments.end_number(); ++n)
    if (s.segments[n].kept.sums().pending > 0) return n;
  return std::nullopt;
}

/// Puts a segment that needs a worker where it will get one.
void dispatcher::state::want_lease(stream_state& s, std::uint64_t number, core::time_point now, actions& out) {
  auto& g = s.segments[number];
  if (g.waiting || !needs_worker(g)) return;
  if (s.live()) {
    if (!s.unplaced && !lease_live(s, now, out)) {
      s.unplaced = true;
      unplaced.push_back(s.id);
    }
    return;
  }
  if (overdue(s, now)) {
    give_up(s, number, core::drop_reason::deadline, out);
    return;
  }
  g.waiting = true;
  if (s.request()) {
    queue_of(g).emplace(s.limits.deadline.value_or(core::time_point::max()), id_of(s, number));
    place_requests(now, out);
    return;
  }
  if (g.suspect) {
    suspects.push_back(id_of(s, number));
  } else {
    s.queue.push_back(number);
    std::push_heap(s.queue.begin(), s.queue.end(), std::greater<>{});
    if (!s.in_turn) {
      s.in_turn = true;
      turns.push_back(s.id);
    }
  }
  place_waiting(now, out);
}

void dispatcher::state::place_waiting(core::time_point now, actions& out) {
  if (!suspects.empty() || reserved != no_worker) place_suspects(now, out);
  place_requests(now, out);
  if (!unplaced.empty()) place_live(now, out);
  if (!turns.empty()) place_bulk(now, out);
}

/// A lease of a stream of this kind has ended. Requests come and go by the thousand, so the end of one does only what
/// it may have made room for.
void dispatcher::state::place_after(stream_policy ended, core::time_point now, actions& out) {
  if (ended != stream_policy::request) {
    place_waiting(now, out);
    return;
  }
  if (!suspects.empty()) place_suspects(now, out);
  place_requests(now, out);
}

/// Leases requests while there is room, the earliest deadline first. One that is to avoid a worker may have to wait for
/// another; those without a choice do not wait for it.
void dispatcher::state::place_requests(core::time_point now, actions& out) {
  for (bool choosy = true; workers.has_request_room();) {
    const bool retry = choosy && !retried.empty() && (requests.empty() || *retried.begin() < *requests.begin());
    auto& queue = retry ? retried : requests;
    if (queue.empty()) return;
    const auto id = queue.begin()->second;
    auto& s = *find(id.stream);
    if (overdue(s, now)) {
      give_up(s, id.number, core::drop_reason::deadline, out);
    } else if (auto* w = workers.next_for_request(s.segments[id.number].avoid)) {
      queue.erase(queue.begin());
      lease(s, id.number, *w, now, out);
    } else {
      choosy = false;
    }
  }
}

/// A request leaves its queue without a lease.
void dispatcher::state::stop_waiting(stream_state& s, std::uint64_t number) {
  auto& g = s.segments[number];
  queue_of(g).erase({s.limits.deadline.value_or(core::time_point::max()), id_of(s, number)});
  g.waiting = false;
}

void dispatcher::state::place_live(core::time_point now, actions& out) {
  std::erase_if(unplaced, [&](core::stream_id id) {
    auto* s = find(id);
    if (!s) return true;
    s->unplaced = !lease_live(*s, now, out);
    return !s->unplaced;
  });
}

/// Leases what the live stream has waiting, oldest first. False if it found no worker.
bool dispatcher::state::lease_live(stream_state& s, core::time_point now, actions& out) {
  for (auto n = s.segments.first(); n < s.segments.end_number(); ++n) {
    if (!needs_worker(s.segments[n])) continue;
    auto* w = choose_place(s, s.segments[n], now);
    if (!w) return false;
    lease(s, n, *w, now, out);
  }
  return true;
}

/// The worker for a live stream's next segment: its own, unless that fails, leaves or lags and another has room.
worker_state* dispatcher::state::choose_place(stream_state& s, const segment_state& g, core::time_point now) {
  auto* own = workers.find(s.place);
  const bool stays = own && !own->draining && !own->quiet;
  bool lags = false;
  if (stays) {
    for (const auto& other : s.segments) {
      if (other.holder != s.place) continue;
      const auto due = other.kept.due_since(static_cast<std::uint32_t>(other.codec->reorder_frames), other.closed);
      lags = due && now - *due > s.limits.steal_after;
      if (other.kept.sums().pending > 0) break;
    }
    if (!lags && g.avoid != s.place) return own;
  }
  auto* next = workers.next_for_live(own ? s.place : g.avoid);
  if (next && next != own) {
    move_place(s, next);
    return next;
  }
  return stays ? own : nullptr;
}

void dispatcher::state::move_place(stream_state& s, worker_state* to) {
  if (auto* from = workers.find(s.place)) {
    --from->load.live;
    workers.update(*from);
  }
  s.place = to ? to->id : no_worker;
  if (to) {
    ++to->load.live;
    workers.update(*to);
  }
}

/// Keeps one worker free of others for segments that may have killed theirs, one at a time. A suspect's turn comes when
/// it is the oldest of its stream, since until then its source may be held back and it could not end.
void dispatcher::state::place_suspects(core::time_point now, actions& out) {
  if (alone) return;
  std::erase_if(suspects, [&](core::segment_id id) {
    auto* g = find(id);
    if (g && g->waiting && needs_worker(*g)) return false;
    if (g) g->waiting = false;
    return true;
  });
  const auto next = std::find_if(suspects.begin(), suspects.end(), [&](core::segment_id id) {
    return oldest_pending(*find(id.stream)).value_or(id.number) == id.number;
  });
  auto* w = workers.find(reserved);
  if (next == suspects.end() || !w || w->draining || w->quiet) release_reserved();
  if (next == suspects.end()) return;
  if (reserved == no_worker) {
    w = workers.next_to_reserve();
    if (!w) return;
    reserved = w->id;
    w->reserved = true;
    workers.update(*w);
  }
  if (w->load.bulk + w->load.requests > 0 || w->load.credit == 0) return;
  alone = *next;
  suspects.erase(next);
  lease(*find(alone->stream), alone->number, *w, now, out);
}

void dispatcher::state::release_reserved() {
  if (auto* w = workers.find(reserved)) {
    w->reserved = false;
    workers.update(*w);
  }
  reserved = no_worker;
}

void dispatcher::state::place_bulk(core::time_point now, actions& out) {
  // A stream whose turn finds only the worker to avoid waits for the next round.
  for (auto passed = std::size_t{0}; passed < turns.size() && workers.has_bulk_room();) {
    auto* s = find(turns.front());
    turns.pop_front();
    if (!s) continue;
    const auto drop_oldest = [&] {
      std::pop_heap(s->queue.begin(), s->queue.end(), std::greater<>{});
      s->queue.pop_back();
    };
    while (!s->queue.empty()) {
      auto* g = find(id_of(*s, s->queue.front()));
      if (g && g->waiting && needs_worker(*g)) break;
      if (g) g->waiting = false;
      drop_oldest();
    }
    s->in_turn = !s->queue.empty();
    if (!s->in_turn) continue;
    const auto number = s->queue.front();
    if (auto* w = workers.next_for_bulk(s->place, s->segments[number].avoid)) {
      drop_oldest();
      s->place = w->id;
      lease(*s, number, *w, now, out);
      passed = 0;
    } else {
      ++passed;
    }
    s->in_turn = !s->queue.empty();
    if (s->in_turn) turns.push_back(s->id);
  }
}

void dispatcher::state::lease(stream_state& s, std::uint64_t number, worker_state& w, core::time_point now,
                              actions& out) {
  auto& g = s.segments[number];
  const auto id = id_of(s, number);
  g.holder = w.id;
  g.slot = static_cast<std::uint32_t>(w.leases.size());
  g.touched = now;
  g.waiting = false;
  w.leases.push_back(id);
  ++leases;
  if (s.lossless()) {
    ++w.load.bulk;
    --w.load.credit;
    workers.update(w);
  } else if (s.request()) {
    ++w.load.requests;
    workers.update(w);
  }
  out.emplace_back(send_open{w.id, id, g.codec, !s.lossless()});
  const auto& packets = g.kept.packets();
  for (auto n = packets.first(); n < packets.end_number(); ++n)
    out.emplace_back(send_packet{w.id, id, static_cast<std::uint32_t>(n), packets[n].packet, packets[n].pending});
  g.sent = static_cast<std::uint32_t>(packets.end_number());
  if (g.complete()) out.emplace_back(send_close{w.id, id});
  g.kept.pass_processed(s.sums);
  if (g.kept.sums().bytes > config.segment_retain_bytes) g.kept.let_go_processed(s.sums);
}

void dispatcher::state::end_lease(stream_state& s, segment_state& g) {
  auto* w = workers.find(g.holder);
  g.holder = no_worker;
  --leases;
  if (alone == w->leases[g.slot]) alone.reset();
  if (g.slot + 1 < w->leases.size()) {
    w->leases[g.slot] = w->leases.back();
    find(w->leases[g.slot])->slot = g.slot;
  }
  w->leases.pop_back();
  if (s.live()) return;
  --(s.request() ? w->load.requests : w->load.bulk);
  workers.update(*w);
}

/// Frees what a segment no longer needs; call it after anything of it ended. `number` may be gone afterwards.
void dispatcher::state::finish_if_done(stream_state& s, std::uint64_t number) {
  auto& g = s.segments[number];
  if (!g.complete() || g.kept.sums().pending > 0) return;
  if (s.request() && g.waiting) stop_waiting(s, number);
  g.kept.clear(s.sums);
  while (!s.segments.empty()) {
    const auto& front = s.segments.front();
    if (!front.closed || front.leased() || front.kept.sums().pending > 0) break;
    s.segments.pop_front();
    --s.completed;
  }
  if (s.live() && s.ended && s.segments.empty()) move_place(s, nullptr);
}

/// A lossless stream whose oldest segment finds no worker can hold workers with younger segments that cannot end,
/// because the source is held back until the oldest is done. It gives up the youngest of them.
void dispatcher::state::unblock(stream_state& s, core::time_point now, actions& out) {
  const auto oldest = oldest_pending(s);
  if (s.granted > 0 || !oldest || !s.segments[*oldest].waiting) return;
  for (auto n = s.segments.end_number(); n-- > *oldest + 1;) {
    auto& g = s.segments[n];
    if (!g.leased() || g.complete() || g.kept.truncated()) continue;
    if (s.segments[*oldest].suspect && g.holder != reserved) continue; // would not help it
    out.emplace_back(revoke{g.holder, id_of(s, n)});
    end_lease(s, g);
    want_lease(s, n, now, out);
    return;
  }
}

} // namespace penstock::dispatch
