#include "dispatch/head.hpp"

#include <optional>
#include <utility>

#include "core/overloaded.hpp"

namespace penstock::dispatch {

namespace {

/// The segment an event is about; for refused packets the one they stand before.
std::uint64_t number_of(const segment_event& event) {
  return std::visit(
      core::overloaded{[](const packet_refused& e) { return e.before; }, [](const auto& e) { return e.number; }},
      event);
}

} // namespace

head::head(head_config config)
    : epoch_{config.epoch}, dispatcher_{config.dispatcher, config.epoch}, collector_{config.collector, config.epoch} {}

// ---- sources

void head::add_stream(core::stream_id stream, const stream_config& config, core::time_point now, actions& out) {
  const auto resume = config.limits.policy == stream_policy::lossless ? config.resume : std::nullopt;
  const auto from = resume.value_or(resume_point{});
  streams_.add(stream, {segmenter{config.codec, config.min_segment_packets},
                        sampler{config.sample_frames_per_s, config.codec->frames_per_s},
                        from.segment > 0 ? resume : std::nullopt, from.segment});
  collector_.add_stream(stream, config.limits.policy, from);
  dispatcher_.add_stream(stream, config.limits, dispatcher_actions_, from.segment);
  settle(now, out);
}

void head::push(core::stream_id stream, const core::packet_ptr& packet, core::time_point now, actions& out) {
  if (auto* s = streams_.find(stream); s && !s->ended) {
    s->cutter.push(packet, segment_events_);
    route_segments(stream, *s, now, out);
    ++s->packets;
  }
}

void head::set_codec(core::stream_id stream, core::codec_ptr codec, core::time_point now, actions& out) {
  if (auto* s = streams_.find(stream); s && !s->ended) {
    s->cutter.set_codec(std::move(codec), segment_events_);
    route_segments(stream, *s, now, out);
  }
}

void head::finish(core::stream_id stream, core::time_point now, actions& out) {
  auto* s = streams_.find(stream);
  if (!s || s->ended) return;
  s->ended = true;
  if (std::exchange(s->resume, std::nullopt)) out.emplace_back(source_changed{stream});
  // First, since what is open now was cut short for all anybody knows.
  collector_.stream_ended(stream, collector_actions_);
  s->cutter.finish(segment_events_);
  route_segments(stream, *s, now, out);
  dispatcher_.stream_ended(stream, now, dispatcher_actions_);
  settle(now, out);
}

void head::cancel(core::stream_id stream, core::time_point now, actions& out, core::drop_reason why) {
  if (!streams_.find(stream)) return;
  // Nothing more is sent; packets that the source pushes from now on are ignored.
  dispatcher_.remove_stream(stream, now, dispatcher_actions_, why);
  settle(now, out);
  finish(stream, now, out);
}

void head::remove_stream(core::stream_id stream) {
  if (!streams_.find(stream)) return;
  collector_.remove_stream(stream);
  dispatcher_.forget_stream(stream);
  streams_.erase(stream);
}

// ---- workers

void head::worker_joined(core::worker_id worker, worker_capacity capacity, core::time_point now, actions& out) {
  dispatcher_.worker_joined(worker, capacity, now, dispatcher_actions_);
  settle(now, out);
}

void head::worker_credit(core::worker_id worker, std::uint32_t segments, core::time_point now, actions& out) {
  dispatcher_.worker_credit(worker, segments, now, dispatcher_actions_);
  settle(now, out);
}

void head::worker_heartbeat(core::worker_id worker, core::time_point now) { dispatcher_.worker_heartbeat(worker, now); }

void head::worker_draining(core::worker_id worker, core::time_point now, actions& out) {
  dispatcher_.worker_draining(worker, now, dispatcher_actions_);
  settle(now, out);
}

void head::worker_lost(core::worker_id worker, core::time_point now, actions& out, bool excused) {
  dispatcher_.worker_lost(worker, now, dispatcher_actions_, excused);
  settle(now, out);
}

void head::worker_returned(core::worker_id worker) { dispatcher_.worker_returned(worker); }

void head::outcome(core::frame_outcome&& outcome, core::time_point now, actions& out) {
  if (!dispatcher_.may_have_outcome(outcome.id)) return;
  collector_.outcome(std::move(outcome), collector_actions_);
  settle(now, out);
}

void head::segment_done(core::worker_id worker, core::segment_id segment, core::time_point now, actions& out) {
  dispatcher_.segment_done(worker, segment, now, dispatcher_actions_);
  settle(now, out);
}

void head::segment_failed(core::worker_id worker, core::segment_id segment, const core::error& why,
                          core::time_point now, actions& out) {
  dispatcher_.segment_failed(worker, segment, why, now, dispatcher_actions_);
  settle(now, out);
}

// ---- sinks

void head::acknowledged(core::stream_id stream, std::uint64_t delivered, std::uint64_t failed, core::time_point now,
                        actions& out, core::drop_reason why) {
  collector_.acknowledged(stream, delivered, failed, collector_actions_, why);
  settle(now, out);
}

// ---- time

void head::tick(core::time_point now, actions& out) {
  dispatcher_.tick(now, dispatcher_actions_);
  settle(now, out);
}

void head::shutdown(core::time_point now, core::time_point deadline, actions& out) {
  dispatcher_.shutdown(now, deadline, dispatcher_actions_);
  settle(now, out);
}

// ---- inside

/// Announces what the segmenter said to the collector first, then to the dispatcher.
void head::route_segments(core::stream_id stream, stream_state& s, core::time_point now, actions& out) {
  for (auto& event : segment_events_) {
    if (number_of(event) < s.first_segment) {
      pass_over(stream, s, event);
      settle(now, out);
      continue;
    }
    std::visit(core::overloaded{
                   [&](segment_opened& e) {
                     if (const auto from = std::exchange(s.resume, std::nullopt); from && from->packets != s.packets)
                       out.emplace_back(source_changed{stream});
                     collector_.segment_opened(stream, e.number, s.packets);
                     dispatcher_.segment_opened(stream, e.number, std::move(e.codec), now, dispatcher_actions_);
                   },
                   [&](const segment_appended& e) {
                     const core::result_id id{{stream, epoch_, e.number}, e.ordinal};
                     const bool wanted = e.owned && s.sampling.wanted(*e.packet);
                     if (e.owned)
                       collector_.frame_expected(id, *e.packet,
                                                 wanted ? std::nullopt : std::optional{core::drop_reason::sampled},
                                                 collector_actions_);
                     dispatcher_.packet(id, e.packet, e.owned, wanted, now, dispatcher_actions_);
                   },
                   [&](const segment_closed& e) {
                     collector_.segment_closed(stream, e.number, collector_actions_);
                     dispatcher_.segment_closed(stream, e.number, now, dispatcher_actions_);
                   },
                   [&](const packet_refused& e) {
                     if (e.packet->shown) collector_.frame_refused(stream, e.before, e.reason, collector_actions_);
                     dispatcher_.packet_refused(stream, e.packet->shown, dispatcher_actions_);
                   },
               },
               event);
    settle(now, out);
  }
  segment_events_.clear();
}

/// What an earlier life has done; only the sampler must know of it, and the source gets its grants back.
void head::pass_over(core::stream_id stream, stream_state& s, const segment_event& event) {
  if (const auto* e = std::get_if<segment_appended>(&event)) {
    if (e->owned) static_cast<void>(s.sampling.wanted(*e->packet));
    if (e->owned || !e->packet->shown) dispatcher_.packet_refused(stream, false, dispatcher_actions_);
  } else if (std::holds_alternative<packet_refused>(event)) {
    dispatcher_.packet_refused(stream, false, dispatcher_actions_);
  }
}

/// Carries actions between dispatcher and collector until only outside ones are left.
void head::settle(core::time_point now, actions& out) {
  const auto pass_on = [&](auto&& action) { out.emplace_back(std::forward<decltype(action)>(action)); };
  while (!dispatcher_actions_.empty() || !collector_actions_.empty()) {
    std::swap(dispatcher_actions_, dispatcher_work_);
    for (auto& action : dispatcher_work_)
      std::visit(
          core::overloaded{
              [&](drop_frame&& a) { collector_.drop(a.id, a.reason, collector_actions_); },
              pass_on,
          },
          std::move(action));
    dispatcher_work_.clear();
    std::swap(collector_actions_, collector_work_);
    for (auto& action : collector_work_)
      std::visit(core::overloaded{
                     [&](frame_resolved&& a) { dispatcher_.frame_resolved(a.id, now, dispatcher_actions_); },
                     [&](frames_settled&& a) { dispatcher_.frames_settled(a.stream, a.count, dispatcher_actions_); },
                     pass_on,
                 },
                 std::move(action));
    collector_work_.clear();
  }
}

} // namespace penstock::dispatch
