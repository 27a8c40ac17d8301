#include <algorithm>

#include "tests/simulation/world_parts.hpp"

// Clients that ask for one picture each and wait for it, not for ever.

namespace penstock::test {

using namespace dispatch;
using core::drop_reason;

world::source& world::stream_of(core::stream_id id) {
  return id.value < sources_.size() ? *sources_[id.value] : *requests_.at(id.value);
}

/// Requests come until all streams have ended, so those end while requests come.
void world::ask() {
  if (std::all_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->finished; })) return;
  at(now_us_ + rng_.between(1, 2 * what_.request_every_us), [this] { ask(); });
  if (!head_) return;
  const core::stream_id id{next_request_++};
  auto& s = *(requests_[id.value] = std::make_unique<source>());
  s.id = id;
  gop_shape shape;
  shape.frames = shape.min_gop = shape.max_gop = 1;
  shape.damaged = 0.05;
  s.packets = make_gops(shape, rng_);
  s.index_of[s.packets[0].packet.get()] = 0;
  if (rng_.chance(what_.wrong.poison)) s.kills.insert(0);
  if (rng_.chance(what_.wrong.fails)) s.fails.insert(0);
  if (rng_.chance(what_.wrong.cuts)) s.cuts.insert(0);
  s.shown.push_back(s.packets[0].packet->pts.count());
  auto codec = std::make_shared<core::codec_description>();
  codec->codec = "mjpeg";
  s.config.codec = codec;
  s.config.limits.policy = stream_policy::request;
  if (!rng_.chance(0.1)) s.config.limits.deadline = now() + std::chrono::microseconds{rng_.between(1000, 1'500'000)};
  s.received = 1;
  s.open = true;
  asked_.insert(id.value);
  ++counts_.requests;
  head_->add_stream(id, s.config, now(), actions_);
  head_->push(id, s.packets[0].packet, now(), actions_);
  head_->finish(id, now(), actions_);
  if (!rng_.chance(0.05)) return;
  in_this_life(now_us_ + rng_.between(0, 100'000), [this, &s] { // its client hangs up
    if (s.finished) return;
    s.cancelled = true;
    head_->cancel(s.id, now(), actions_, drop_reason::cancelled);
  });
}

/// A worker is asked to do it.
void world::check_lease(source& s) {
  const auto& deadline = s.config.limits.deadline;
  require(!deadline || now() < *deadline, "no worker gets a request behind its deadline");
  require(!s.finished && s.emitted.empty(), "no worker gets a request that has ended");
  if (++s.leases > 1) ++counts_.requests_again;
}

void world::check_request(const source& s) const {
  const auto& deadline = s.config.limits.deadline;
  if (s.finished || !s.emitted.empty() || !deadline) return;
  require(now() <= *deadline + std::chrono::microseconds{tick_us}, "a request ends by its deadline");
}

/// It has ended: once, in one way, and for a reason that is true.
void world::end_request(source& s) {
  const auto& books = head_->collecting().ledger_of(s.id);
  require(books.received == 1 && books.delivered + books.dropped_total() == 1, "a request ends once");
  require((books.delivered + books.dropped_for(drop_reason::sink_error) == 1) == (s.emitted.size() == 1),
          "a request that has a result is not dropped, and one that was dropped has no result");
  for (const auto never : {drop_reason::sampled, drop_reason::no_keyframe, drop_reason::shed, drop_reason::slow_sink,
                           drop_reason::shutdown})
    require(books.dropped_for(never) == 0, "requests are not shed");
  if (books.dropped_for(drop_reason::deadline) > 0) {
    const auto& deadline = s.config.limits.deadline;
    require(deadline && now() >= *deadline, "a request has its time");
    require(now() <= *deadline + std::chrono::microseconds{tick_us}, "and no more");
    ++counts_.requests_late;
  }
  require(books.dropped_for(drop_reason::cancelled) == 0 || s.cancelled, "a request is cancelled by its client");
  require(books.dropped_for(drop_reason::corrupt) == 0 || s.packets[0].packet->damaged, "corrupt only if damaged");
  require(books.dropped_for(drop_reason::poison) == (s.quarantined ? 1 : 0), "poison only by quarantine");
  counts_.requests_delivered += books.delivered;
  in_this_life(now_us_ + rng_.between(0, 3000), [this, &s] {
    head_->remove_stream(s.id);
    asked_.erase(s.id.value);
    s.open = false;
  });
}

/// What is under way ends without further faults; then nothing is left of any stream.
void world::wind_up() {
  what_.wrong.until_us = now_us_;
  const auto latest = now_us_ + 30'000'000;
  const auto open = std::count_if(sources_.begin(), sources_.end(), [](const auto& s) { return s->open; });
  // Streams that were forgotten while a worker held them go with their lease, or with a tick behind that.
  while (!head_->dispatching().idle() || head_->dispatching().count_streams() > static_cast<std::size_t>(open)) {
    require(now_us_ < latest, "everything comes to its end");
    step();
  }
  require(head_->dispatching().waiting_requests() == 0, "no request waits that is not there");
  for (const auto& [_, w] : workers_) {
    const auto load = head_->dispatching().load_of(w->id);
    require(load.bulk + load.requests == 0, "workers have their room back");
  }
  for (const auto& s : sources_)
    if (s->open) head_->remove_stream(s->id);
  require(head_->count_streams() + head_->collecting().count_streams() + head_->dispatching().count_streams() == 0,
          "tables are empty at the end");
}

} // namespace penstock::test
