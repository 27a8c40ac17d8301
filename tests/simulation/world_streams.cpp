#include <algorithm>

#include "tests/simulation/world_parts.hpp"

// Sources, sinks, and where checkpoints are kept.

namespace penstock::test {

using namespace dispatch;

void world::add_source(std::uint32_t id) {
  auto s = std::make_unique<source>();
  s->id = {id};
  s->config = what_.streams[id].first;
  s->packets = make_gops(what_.streams[id].second, rng_);
  for (std::size_t i = 0; i < s->packets.size(); ++i) {
    s->index_of[s->packets[i].packet.get()] = i;
    if (rng_.chance(what_.wrong.poison)) s->kills.insert(i);
    if (rng_.chance(what_.wrong.fails)) s->fails.insert(i);
    if (what_.wrong.cuts > 0 && rng_.chance(what_.wrong.cuts)) s->cuts.insert(i);
  }
  plan(*s);
  auto& ref = *s;
  sources_.push_back(std::move(s));
  if (ref.live()) at(rng_.between(0, 100'000), [this, &ref] { push_live(ref); });
}

/// What a run without interruption makes of the stream.
void world::plan(source& s) const {
  segmenter cutter{s.config.codec, s.config.min_segment_packets};
  sampler sampling{s.config.sample_frames_per_s, s.config.codec->frames_per_s};
  std::vector<segment_event> events;
  std::vector<std::int64_t> wanted;
  s.segment_of.resize(s.packets.size());
  std::size_t pushed = 0;
  std::vector<std::uint64_t> frames; // by segment, with those refused before it
  const auto count = [&](std::uint64_t segment) {
    if (frames.size() <= segment) frames.resize(segment + 1);
    ++frames[segment];
  };
  for (const auto& [packet, _] : s.packets) {
    cutter.push(packet, events);
    for (const auto& said : events) {
      if (const auto* opened = std::get_if<segment_opened>(&said)) {
        s.segments.push_back({s.id, opened->number, 0, pushed});
      } else if (const auto* added = std::get_if<segment_appended>(&said)) {
        if (!added->owned && added->packet->shown) continue; // a keyframe's copy
        s.segment_of[s.index_of.at(added->packet.get())] = added->number;
        if (!added->owned) continue;
        count(added->number);
        if (sampling.wanted(*added->packet) && !added->packet->damaged) wanted.push_back(added->packet->pts.count());
      } else if (const auto* refused = std::get_if<packet_refused>(&said)) {
        s.segment_of[s.index_of.at(refused->packet.get())] = refused->before;
        if (refused->packet->shown) count(refused->before);
      }
    }
    events.clear();
    ++pushed;
    if (packet->shown) s.shown.push_back(packet->pts.count());
  }
  std::sort(s.shown.begin(), s.shown.end());
  std::sort(wanted.begin(), wanted.end());
  for (const auto pts : wanted)
    s.wanted.push_back(
        static_cast<std::uint64_t>(std::lower_bound(s.shown.begin(), s.shown.end(), pts) - s.shown.begin()));
  std::uint64_t seq = 0;
  for (auto& segment : s.segments) {
    segment.seq = seq;
    if (segment.segment < frames.size()) seq += frames[segment.segment];
  }
}

/// In a new life of the head.
void world::open_stream(source& s) {
  s.granted = 0;
  s.received = 0;
  s.live_pts.clear();
  s.emitted.clear();
  s.sink_busy = false;
  s.finished = s.finish_written;
  s.open = !s.finished;
  s.from = {};
  s.writing_us = now_us_;
  if (s.finished) return;
  auto config = s.config;
  if (!s.live()) {
    s.next = 0;
    if (s.written) s.from = {s.written->segment, s.written->seq, s.written->packets, 0};
    if (!s.durable.empty()) s.from.delivered_before = s.durable.back().seq + 1;
    if (s.from.segment > 0) ++counts_.resumed_streams;
    if (life_ > 0) config.resume = s.from;
    log("stream " + std::to_string(s.id.value) + " from segment " + std::to_string(s.from.segment) + ", seq " +
        std::to_string(s.from.seq) + ", delivered before " + std::to_string(s.from.delivered_before));
  }
  s.done_before = s.from.segment;
  head_->add_stream(s.id, config, now(), actions_);
  if (s.live() && s.next == s.packets.size()) head_->finish(s.id, now(), actions_);
}

void world::push(source& s) {
  const auto index = s.next++;
  const auto& packet = s.packets[index].packet;
  if (packet->shown && s.live()) s.live_pts.push_back(packet->pts.count());
  if (packet->shown && s.segment_of[index] >= s.from.segment) ++s.received;
  head_->push(s.id, packet, now(), actions_);
  if (s.next == s.packets.size()) head_->finish(s.id, now(), actions_);
}

/// A camera goes on whether there is a head or not.
void world::push_live(source& s) {
  if (head_)
    push(s);
  else
    ++s.next;
  if (s.next < s.packets.size()) at(now_us_ + s.packets[0].packet->duration.count(), [this, &s] { push_live(s); });
}

void world::push_lossless(source& s) {
  if (s.granted == 0 || s.next == s.packets.size()) return;
  --s.granted;
  push(s);
  if (s.granted > 0) in_this_life(now_us_ + rng_.between(1, 2000), [this, &s] { push_lossless(s); });
}

void world::receive(const emit& m) {
  const auto& result = m.result;
  auto& s = stream_of(result.id.segment.stream);
  const kept_frame frame{result.seq, result.pts.count(), result.id.segment.number};
  log("emit " + text(result.id.segment) + "#" + std::to_string(result.id.ordinal) + " seq " +
      std::to_string(result.seq));
  require(result.objects.size() == 1 && result.objects[0].track == frame.pts, "a result belongs to its frame");
  require(result.id.segment.epoch == epoch() && result.objects[0].class_index == static_cast<int>(life_),
          "a result belongs to this life of the head");
  require(!s.finished, "nothing comes behind the end of a stream");
  if (!s.emitted.empty()) require(frame.seq > s.emitted.back().seq, "seq rises: once, in order");
  if (const auto* last = !s.unacknowledged.empty() ? &s.unacknowledged.back()
                         : !s.durable.empty()      ? &s.durable.back()
                                                   : nullptr) {
    require(frame.pts > last->pts, "pts rises: once, in order");
    if (!s.live()) require(frame.seq > last->seq, "seq rises over all lives");
  }
  s.emitted.push_back(frame);
  s.unacknowledged.push_back(frame);
  require(s.unacknowledged.size() <= what_.head.collector.sink_window, "the sinks' window is kept");
  if (!s.sink_busy) acknowledge(s);
}

void world::acknowledge(source& s) {
  s.sink_busy = true;
  const auto pause = what_.slow_sink ? rng_.between(20'000, 100'000) : rng_.between(1, 500);
  in_this_life(now_us_ + pause, [this, &s] {
    auto& waiting = s.unacknowledged;
    const auto count = rng_.between(1, static_cast<std::int64_t>(waiting.size()));
    const auto failed = faulty() && rng_.chance(what_.wrong.sink_fails) ? 1 : 0;
    s.durable.insert(s.durable.end(), waiting.begin(), waiting.begin() + (count - failed));
    waiting.erase(waiting.begin(), waiting.begin() + count);
    s.sink_busy = false;
    head_->acknowledged(s.id, static_cast<std::uint64_t>(count - failed), static_cast<std::uint64_t>(failed), now(),
                        actions_);
    if (!waiting.empty() && !s.sink_busy) acknowledge(s);
  });
}

void world::receive(const checkpoint& m) {
  auto& s = stream_of(m.stream);
  log("checkpoint " + std::to_string(m.stream.value) + "/" + std::to_string(m.segment));
  ++counts_.checkpoints;
  require(!s.live() && !s.request(), "checkpoints are for lossless streams");
  require(m.segment > s.done_before && m.segment < s.segments.size(), "checkpoints come in order, once for a segment");
  require(m.seq == s.segments[m.segment].seq && m.packets == s.segments[m.segment].packets,
          "a checkpoint says where its segment begins");
  require(s.unacknowledged.empty() || s.unacknowledged.front().segment >= m.segment,
          "what is before a checkpoint is done with the sinks");
  s.done_before = m.segment;
  s.writing_us = std::max(s.writing_us + 1, now_us_ + rng_.between(0, 200'000));
  in_this_life(s.writing_us, [&s, m] { s.written = m; });
}

void world::finish(source& s) {
  require(!s.finished, "a stream finishes once");
  log("finished " + std::to_string(s.id.value));
  s.finished = true;
  if (s.request()) {
    end_request(s);
    return;
  }
  s.writing_us = std::max(s.writing_us + 1, now_us_ + rng_.between(0, 200'000));
  in_this_life(s.writing_us, [&s] { s.finish_written = true; });
}

} // namespace penstock::test
