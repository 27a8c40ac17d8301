#include <algorithm>
#include <utility>

#include "dispatch/dispatcher_state.hpp"

namespace penstock::dispatch {

namespace {

/// Workers that are remembered after their loss; who returns, returns soon.
constexpr std::size_t most_absent = 256;

} // namespace

/// The holder could not do the segment.
void dispatcher::state::fail(stream_state& s, std::uint64_t number, const std::string& why, core::time_point now,
                             actions& out) {
  auto& g = s.segments[number];
  ++failed_leases;
  g.avoid = g.holder;
  end_lease(s, g);
  if (++g.failures >= config.attempts)
    quarantine_segment(s, number, "failed " + std::to_string(g.failures) + " times, at last: " + why, out);
  else
    retry(s, number, now, out);
}

/// Of a segment's workers, until it is suspect: in quarters of a death.
std::uint32_t dispatcher::state::enough_deaths() const noexcept { return 4 * (std::max(config.attempts, 2U) - 1); }

/// The holder is dead, with this segment among others.
void dispatcher::state::die(stream_state& s, std::uint64_t number, unsigned weight, core::time_point now,
                            actions& out) {
  auto& g = s.segments[number];
  const bool was_alone = alone == id_of(s, number);
  end_lease(s, g);
  if (weight > 0 && g.kept.sums().pending > 0) {
    const auto enough = enough_deaths();
    g.deaths += weight;
    if (was_alone) g.lonely_deaths += weight;
    if (s.live() && g.deaths >= enough) {
      give_up(s, number, core::drop_reason::shed, out);
      return;
    }
    if (s.request() && g.deaths >= enough) {
      quarantine_segment(s, number, "its workers died", out);
      return;
    }
    if (g.lonely_deaths >= enough) {
      quarantine_segment(s, number, "its workers died, the last of them with nothing else to do", out);
      return;
    }
    g.suspect = g.deaths >= enough;
  }
  retry(s, number, now, out);
}

void dispatcher::state::retry(stream_state& s, std::uint64_t number, core::time_point now, actions& out) {
  auto& g = s.segments[number];
  if (deadline) {
    give_up(s, number, core::drop_reason::shutdown, out);
    return;
  }
  if (g.kept.truncated() && (g.kept.sums().pending > 0 || !g.complete())) {
    quarantine_segment(s, number, "its worker was lost after its beginning was let go", out);
    return;
  }
  if (s.live()) {
    const auto due = g.kept.due_since(static_cast<std::uint32_t>(g.codec->reorder_frames), g.closed);
    if (due && now - *due > s.limits.max_lag) drop_pending(s, number, core::drop_reason::shed, out);
  }
  finish_if_done(s, number);
  if (s.segments.contains(number)) want_lease(s, number, now, out);
}

void dispatcher::state::lose_worker(core::worker_id worker, loss how, core::time_point now, actions& out) {
  auto* w = workers.find(worker);
  if (!w) return;
  // Out of the ranking first, so that nothing it loses comes back to it.
  workers.drain(*w);
  auto held = w->leases;
  std::sort(held.begin(), held.end());
  std::vector<blame> blames;
  for (const auto& id : held) {
    const bool certain = how == loss::noticed || w->last_seen > find(id)->touched;
    const auto weight = how == loss::excused ? 0U : (certain ? 4U : 1U);
    if (const auto& g = *find(id); weight > 0 && g.kept.sums().pending > 0) {
      ++failed_leases;
      blames.push_back({id, weight, alone == id, g.streak});
    }
    die(*find(id.stream), id.number, weight, now, out);
  }
  if (!blames.empty()) absent.emplace_back(worker, std::move(blames));
  if (absent.size() > most_absent) absent.pop_front();
  if (reserved == worker) release_reserved();
  workers.remove(worker);
  streams.for_each([&](stream_state& s) {
    if (s.place == worker) s.place = no_worker;
  });
  place_waiting(now, out);
}

/// All but a quarter is taken back: what a segment does to a link, again and again, must come to an end as well.
void dispatcher::state::acquit(core::worker_id worker) {
  const auto at = std::ranges::find(absent, worker, [](const auto& a) { return a.first; });
  if (at == absent.end()) return;
  for (const auto& b : at->second) {
    auto* g = find(b.segment);
    if (!g || g->streak != b.streak) continue;
    g->deaths -= b.weight - 1;
    if (b.lonely) g->lonely_deaths -= b.weight - 1;
    if (!g->waiting) g->suspect = g->deaths >= enough_deaths();
  }
  absent.erase(at);
}

void dispatcher::state::quarantine_segment(stream_state& s, std::uint64_t number, std::string why, actions& out) {
  const auto& g = s.segments[number];
  quarantine action{id_of(s, number), std::move(why), g.codec, {}};
  for (const auto& entry : g.kept.packets()) action.packets.push_back(entry.packet);
  out.emplace_back(std::move(action));
  give_up(s, number, core::drop_reason::poison, out);
}

void dispatcher::state::drop_pending(stream_state& s, std::uint64_t number, core::drop_reason reason, actions& out) {
  auto& kept = s.segments[number].kept;
  const auto& packets = kept.packets();
  for (auto n = packets.first(); n < packets.end_number() && kept.sums().pending > 0; ++n) {
    const auto ordinal = static_cast<std::uint32_t>(n);
    if (kept.resolve(ordinal, s.sums)) out.emplace_back(drop_frame{{id_of(s, number), ordinal}, reason});
  }
  kept.pass_processed(s.sums);
}

/// Ends a segment for the head: what it still brings is dropped. `number` may be gone afterwards.
void dispatcher::state::give_up(stream_state& s, std::uint64_t number, core::drop_reason reason, actions& out) {
  auto& g = s.segments[number];
  if (g.leased()) {
    out.emplace_back(revoke{g.holder, id_of(s, number)});
    end_lease(s, g);
  }
  if (s.request() && g.waiting) stop_waiting(s, number);
  drop_pending(s, number, reason, out);
  if (!g.cut) s.cut(g, reason);
  g.waiting = false;
  finish_if_done(s, number);
}

void dispatcher::state::give_up_all(stream_state& s, core::drop_reason reason, actions& out) {
  for (auto n = s.segments.first(); n < s.segments.end_number(); ++n)
    if (s.segments.contains(n)) give_up(s, n, reason, out);
}

/// Silent workers.
void dispatcher::state::expire(core::time_point now, actions& out) {
  std::vector<core::worker_id> silent;
  workers.for_each([&](worker_state& w) {
    if (now - w.last_seen > config.lease_timeout) {
      silent.push_back(w.id);
      return;
    }
    if (!w.quiet && now - w.last_seen > config.lease_timeout / 2) {
      w.quiet = true;
      workers.update(w);
    }
  });
  for (auto id : silent) {
    out.emplace_back(worker_expired{id});
    lose_worker(id, loss::silent, now, out);
  }
}

/// Segments that stand still on workers that are not silent. By stream, since whoever looks after a stream has it in
/// the caches then: with ten thousand of them that is most of what a tick takes.
void dispatcher::state::check_leases(stream_state& s, core::time_point now, actions& out) {
  for (auto n = s.segments.first(); n < s.segments.end_number(); ++n)
    if (s.segments.contains(n) && s.segments[n].leased()) check_lease(s, n, now, out);
}

void dispatcher::state::check_lease(stream_state& s, std::uint64_t number, core::time_point now, actions& out) {
  /// More packets than any decoder holds back: behind so many a frame must come, even if the segment is still open.
  constexpr std::uint32_t max_reorder = 16;

  auto& g = s.segments[number];
  // A request may stand behind others of its worker for as long as its deadline allows; a live stream must move on.
  const auto patience = s.live() ? std::min(config.stall_timeout, config.lease_timeout) : config.stall_timeout;
  const bool pending = g.kept.sums().pending > 0;
  if (!pending && !g.complete()) return;
  const auto due = pending ? g.kept.due_since(max_reorder, g.closed) : g.closed.value_or(g.touched);
  if (!due || now - std::max(*due, g.touched) <= patience) return;
  out.emplace_back(revoke{g.holder, id_of(s, number)});
  if (pending) {
    fail(s, number, "no outcome for " + std::to_string(patience.count()) + " ms", now, out);
  } else {
    end_lease(s, g);
    finish_if_done(s, number);
  }
}

} // namespace penstock::dispatch
