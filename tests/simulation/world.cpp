#include "tests/simulation/world.hpp"

#include <algorithm>
#include <ostream>

namespace penstock::test {

using namespace dispatch;

namespace {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

std::string text(core::segment_id id) { return std::to_string(id.stream.value) + "/" + std::to_string(id.number); }

} // namespace

struct world::source {
  core::stream_id id;
  stream_config config;
  std::vector<coded_packet> packets;
  std::size_t next = 0;
  std::int64_t granted = 0;
  std::map<const core::packet*, std::size_t> index_of;
  std::vector<std::int64_t> shown_pts;                         ///< of all frames pushed, sorted at the end
  std::vector<std::pair<std::uint64_t, std::int64_t>> emitted; ///< seq and pts
  std::uint64_t unacknowledged = 0;
  bool sink_busy = false;
  bool finished = false;
  std::set<std::size_t> kills;
  std::set<std::size_t> fails;

  [[nodiscard]] bool live() const { return config.limits.policy == stream_policy::live; }
};

struct world::task {
  bool live = false;
  std::uint32_t next_ordinal = 0;
  std::set<std::size_t> decoded;
  std::multimap<std::int64_t, std::pair<std::uint32_t, bool>> held; ///< by pts: ordinal, wanted
  int reorder = 0;
};

struct world::worker {
  core::worker_id id;
  worker_capacity capacity;
  bool alive = true;
  std::int64_t paused_until = 0;
  std::int64_t busy_until = 0;
  std::int64_t in_link = 0;
  std::int64_t out_link = 0;
  std::int64_t credit_given = 0;
  std::map<core::segment_id, task> tasks;
};

world::world(const scenario& what, std::ostream* trace)
    : what_{what}, trace_{trace}, rng_{what.seed}, head_{what.head} {}

world::~world() = default;

void world::log(const std::string& line) const {
  if (trace_) *trace_ << now_us_ << " " << line << "\n";
}

void world::require(bool truth, const std::string& rule) const {
  if (!truth) throw violation{"at " + std::to_string(now_us_) + " us: " + rule};
}

void world::run() {
  for (std::uint32_t i = 0; i < what_.streams.size(); ++i) add_source(i);
  for (int i = 0; i < what_.workers; ++i) start_worker();
  at(0, [this] { misbehave(); });
  std::function<void()> tick = [&] {
    head_.tick(now(), actions_);
    at(now_us_ + 50'000, tick);
  };
  at(0, tick);
  const auto done = [&] {
    return std::all_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->finished; });
  };
  while (!done()) {
    auto next = queue_.top();
    queue_.pop();
    now_us_ = next.at_us;
    require(now_us_ < 600'000'000, "progress once faults stop: the world stands still");
    next.what();
    carry_out();
    ++events_;
    check();
  }
  check_end();
}

// ---- sources and sinks

void world::add_source(std::uint32_t id) {
  auto s = std::make_unique<source>();
  s->id = {id};
  s->config = what_.streams[id].first;
  s->packets = make_gops(what_.streams[id].second, rng_);
  for (std::size_t i = 0; i < s->packets.size(); ++i) {
    s->index_of[s->packets[i].packet.get()] = i;
    if (rng_.chance(what_.wrong.poison)) s->kills.insert(i);
    if (rng_.chance(what_.wrong.fails)) s->fails.insert(i);
  }
  auto& ref = *s;
  sources_.push_back(std::move(s));
  head_.add_stream(ref.id, ref.config, now(), actions_);
  if (ref.live()) at(rng_.between(0, 100'000), [this, &ref] { push_live(ref); });
}

void world::push(source& s) {
  const auto& packet = s.packets[s.next++].packet;
  if (packet->shown) s.shown_pts.push_back(packet->pts.count());
  head_.push(s.id, packet, now(), actions_);
  if (s.next == s.packets.size()) head_.finish(s.id, now(), actions_);
}

void world::push_live(source& s) {
  push(s);
  if (s.next < s.packets.size()) at(now_us_ + s.packets[0].packet->duration.count(), [this, &s] { push_live(s); });
}

void world::push_lossless(source& s) {
  if (s.granted == 0 || s.next == s.packets.size()) return;
  --s.granted;
  push(s);
  if (s.granted > 0) at(now_us_ + rng_.between(1, 2000), [this, &s] { push_lossless(s); });
}

void world::receive(const emit& m) {
  auto& s = *sources_[m.result.id.segment.stream.value];
  const auto pts = m.result.pts.count();
  log("emit " + text(m.result.id.segment) + "#" + std::to_string(m.result.id.ordinal) + " seq " +
      std::to_string(m.result.seq));
  require(m.result.objects.size() == 1 && m.result.objects[0].track == pts, "a result belongs to its frame");
  if (!s.emitted.empty()) {
    require(m.result.seq > s.emitted.back().first, "seq rises: once, in order");
    require(pts > s.emitted.back().second, "pts rises: once, in order");
  }
  s.emitted.emplace_back(m.result.seq, pts);
  ++s.unacknowledged;
  require(s.unacknowledged <= what_.head.collector.sink_window, "the sinks' window is kept");
  if (!s.sink_busy) acknowledge(s);
}

void world::acknowledge(source& s) {
  s.sink_busy = true;
  const auto pause = what_.slow_sink ? rng_.between(20'000, 100'000) : rng_.between(1, 500);
  at(now_us_ + pause, [this, &s] {
    const auto count = static_cast<std::uint64_t>(rng_.between(1, static_cast<std::int64_t>(s.unacknowledged)));
    const std::uint64_t failed = faulty() && rng_.chance(what_.wrong.sink_fails) ? 1 : 0;
    s.unacknowledged -= count;
    s.sink_busy = false;
    head_.acknowledged(s.id, count - failed, failed, now(), actions_);
    if (s.unacknowledged > 0 && !s.sink_busy) acknowledge(s);
  });
}

// ---- workers

void world::start_worker() {
  auto w = std::make_shared<worker>();
  w->id = {next_worker_++};
  w->capacity = {static_cast<std::uint32_t>(rng_.between(1, 3)), static_cast<std::uint32_t>(what_.streams.size())};
  w->in_link = w->out_link = now_us_;
  workers_[w->id.value] = w;
  log("join worker " + std::to_string(w->id.value));
  w->credit_given = w->capacity.bulk;
  head_.worker_joined(w->id, w->capacity, now(), actions_);
  head_.worker_credit(w->id, w->capacity.bulk, now(), actions_);
  beat(*w);
}

void world::beat(worker& w) {
  at_worker(workers_.at(w.id.value), now_us_ + 100'000, [this](worker& me) {
    to_head(me, [this, id = me.id] { head_.worker_heartbeat(id, now()); });
    beat(me);
  });
}

void world::crash(worker& w, bool noticed) {
  if (!w.alive) return;
  log("crash worker " + std::to_string(w.id.value));
  w.alive = false;
  if (noticed) at(now_us_ + rng_.between(1, 5000), [this, id = w.id] { head_.worker_lost(id, now(), actions_); });
  at(now_us_ + rng_.between(10'000, 1'000'000), [this] { start_worker(); });
}

/// Something a worker does at a time, later if it is paused, never if it is dead by then.
void world::at_worker(const std::shared_ptr<worker>& w, std::int64_t us, std::function<void(worker&)> what) {
  at(us, [this, w, what = std::move(what)] {
    if (!w->alive) return;
    if (now_us_ < w->paused_until)
      at_worker(w, w->paused_until, what);
    else
      what(*w);
  });
}

void world::to_worker(core::worker_id id, std::function<void(worker&)> message) {
  const auto found = workers_.find(id.value);
  require(found != workers_.end(), "messages go to workers that exist");
  auto& w = *found->second;
  w.in_link = std::max(w.in_link + 1, now_us_ + rng_.between(50, 2000));
  at_worker(found->second, w.in_link, std::move(message));
}

/// Links keep the order. What a worker sent before its death may still arrive.
void world::to_head(worker& w, action message) {
  w.out_link = std::max(w.out_link + 1, now_us_ + rng_.between(50, 2000));
  at(w.out_link, [w = workers_.at(w.id.value), lost = rng_.chance(0.5), message = std::move(message)] {
    if (w->alive || !lost) message();
  });
}

void world::open(worker& w, const send_open& m) {
  log("worker " + std::to_string(w.id.value) + " opens " + text(m.segment));
  if (!m.live) {
    --w.credit_given;
    require(w.credit_given >= 0, "credit is never exceeded");
  }
  require(!w.tasks.contains(m.segment), "a segment is opened once at a time");
  task t;
  t.live = m.live;
  t.reorder = m.codec->reorder_frames;
  w.tasks.emplace(m.segment, std::move(t));
}

void world::decode(worker& w, const send_packet& m) {
  const auto found = w.tasks.find(m.segment);
  if (found == w.tasks.end()) return; // failed meanwhile
  auto& t = found->second;
  const auto& s = *sources_[m.segment.stream.value];
  const auto index = s.index_of.at(m.packet.get());
  if (m.ordinal != t.next_ordinal || s.fails.contains(index)) {
    log("worker " + std::to_string(w.id.value) + " fails " + text(m.segment) + "#" + std::to_string(m.ordinal));
    to_head(w, [this, id = w.id, segment = m.segment] {
      head_.segment_failed(id, segment, {core::errc::corrupt, "a packet is missing"}, now(), actions_);
    });
    drop_task(w, m.segment);
    return;
  }
  if (s.kills.contains(index)) {
    crash(w, rng_.chance(0.8));
    return;
  }
  ++t.next_ordinal;
  if (t.decoded.empty())
    require(m.packet->access != core::random_access::none, "a segment starts where a decoder can start");
  for (auto r : s.packets[index].refers_to) require(t.decoded.contains(r), "a segment has all its decoder needs");
  t.decoded.insert(index);
  if (m.packet->damaged && m.wanted) {
    to_head(w, [this, id = core::result_id{m.segment, m.ordinal}] {
      core::frame_outcome outcome;
      outcome.id = id;
      outcome.dropped = core::drop_reason::corrupt;
      head_.outcome(std::move(outcome), now(), actions_);
    });
  } else if (m.packet->shown && !m.packet->damaged) {
    t.held.emplace(m.packet->pts.count(), std::pair{m.ordinal, m.wanted});
    if (t.held.size() > static_cast<std::size_t>(t.reorder)) show(w, m.segment, t);
  }
}

/// The decoder gives its next frame out.
void world::show(worker& w, core::segment_id id, task& t) {
  const auto [pts, frame] = *t.held.begin();
  t.held.erase(t.held.begin());
  if (!frame.second) return;
  w.busy_until = std::max(w.busy_until, now_us_) + what_.frame_us;
  at_worker(workers_.at(w.id.value), w.busy_until,
            [this, result = core::result_id{id, frame.first}, pts = pts](worker& me) {
              const auto send = [&] {
                to_head(me, [this, result, pts] {
                  core::frame_outcome outcome;
                  outcome.id = result;
                  outcome.objects.resize(1);
                  outcome.objects[0].track = pts;
                  head_.outcome(std::move(outcome), now(), actions_);
                });
              };
              if (!faulty() || !rng_.chance(what_.wrong.lose_outcome)) send();
              if (faulty() && rng_.chance(what_.wrong.duplicate)) send();
            });
}

void world::flush(worker& w, core::segment_id id) {
  const auto found = w.tasks.find(id);
  if (found == w.tasks.end()) return;
  while (!found->second.held.empty()) show(w, id, found->second);
  at_worker(workers_.at(w.id.value), std::max(w.busy_until, now_us_) + 1, [this, id](worker& me) {
    if (!me.tasks.contains(id)) return;
    log("worker " + std::to_string(me.id.value) + " done " + text(id));
    if (!faulty() || !rng_.chance(what_.wrong.lose_done))
      to_head(me, [this, worker = me.id, id] { head_.segment_done(worker, id, now(), actions_); });
    drop_task(me, id);
  });
}

void world::drop_task(worker& w, core::segment_id id) {
  const auto found = w.tasks.find(id);
  if (found == w.tasks.end()) return;
  const bool live = found->second.live;
  w.tasks.erase(found);
  if (live) return;
  ++w.credit_given;
  to_head(w, [this, worker = w.id] { head_.worker_credit(worker, 1, now(), actions_); });
}

void world::misbehave() {
  if (!faulty()) return;
  std::vector<worker*> alive;
  for (auto& [_, w] : workers_)
    if (w->alive) alive.push_back(w.get());
  const auto step = std::int64_t{20'000};
  const auto hits = [&](std::int64_t every) {
    return every > 0 && !alive.empty() && rng_.chance(static_cast<double>(step) / static_cast<double>(every));
  };
  const auto any = [&]() -> worker& {
    return *alive[static_cast<std::size_t>(rng_.between(0, static_cast<std::int64_t>(alive.size()) - 1))];
  };
  if (hits(what_.wrong.crash_every_us)) crash(any(), rng_.chance(0.7));
  if (hits(what_.wrong.pause_every_us)) {
    auto& w = any();
    w.paused_until = std::max(w.paused_until, now_us_ + rng_.between(10'000, 3'000'000));
  }
  at(now_us_ + step, [this] { misbehave(); });
}

// ---- the head's wishes

void world::carry_out() {
  while (!actions_.empty()) {
    auto actions = std::move(actions_);
    actions_.clear();
    for (auto& wish : actions) {
      std::visit(overloaded{
                     [&](const send_open& m) { to_worker(m.worker, [this, m](worker& w) { open(w, m); }); },
                     [&](const send_packet& m) {
                       if (faulty() && rng_.chance(what_.wrong.lose_packet)) return;
                       to_worker(m.worker, [this, m](worker& w) { decode(w, m); });
                     },
                     [&](const send_close& m) { to_worker(m.worker, [this, m](worker& w) { flush(w, m.segment); }); },
                     [&](const revoke& m) {
                       log("revoke " + text(m.segment) + " from " + std::to_string(m.worker.value));
                       to_worker(m.worker, [this, m](worker& w) { drop_task(w, m.segment); });
                     },
                     [&](const grant& m) {
                       auto& s = *sources_[m.stream.value];
                       const bool idle = s.granted == 0;
                       s.granted += m.packets;
                       if (idle) at(now_us_ + 1, [this, &s] { push_lossless(s); });
                     },
                     [&](const quarantine& m) {
                       log("quarantine " + text(m.segment) + ": " + m.reason);
                       ++quarantined_;
                     },
                     [&](const worker_expired& m) {
                       log("expired " + std::to_string(m.worker.value));
                       crash(*workers_.at(m.worker.value), false);
                     },
                     [&](const emit& m) { receive(m); },
                     [&](const stream_finished& m) {
                       require(!sources_[m.stream.value]->finished, "a stream finishes once");
                       sources_[m.stream.value]->finished = true;
                     },
                 },
                 wish);
    }
  }
}

// ---- the laws

void world::check() const {
  for (const auto& s : sources_) {
    const auto& books = head_.collecting().ledger_of(s->id);
    require(books.balanced(head_.collecting().count_in_flight(s->id)),
            "received = delivered + dropped + in flight, stream " + std::to_string(s->id.value));
    require(books.received == s->shown_pts.size(), "every frame is received");
    const auto load = head_.dispatching().load_of(s->id);
    const auto& shape = what_.streams[s->id.value].second;
    const auto gop = static_cast<std::size_t>(shape.max_gop + 8);
    if (s->live()) {
      require(load.wanted <= s->config.limits.queue, "a live stream's queue is bounded");
      require(load.retained_bytes <= (s->config.limits.queue + 4) * gop * shape.max_bytes, "live memory is bounded");
    } else {
      require(load.outstanding <= s->config.limits.read_ahead, "the source keeps to its grants");
      require(load.retained_bytes <= (s->config.limits.read_ahead * 2 + 4 * gop) * shape.max_bytes,
              "lossless memory is bounded");
    }
  }
}

void world::check_end() const {
  for (const auto& s : sources_) {
    const auto& books = head_.collecting().ledger_of(s->id);
    require(books.in_flight() == 0, "nothing is in flight at the end");
    require(books.delivered + books.dropped_for(core::drop_reason::sink_error) == s->emitted.size(),
            "what was emitted was delivered");
    auto sorted = s->shown_pts;
    std::sort(sorted.begin(), sorted.end());
    for (const auto& [seq, pts] : s->emitted)
      require(seq < sorted.size() && sorted[seq] == pts, "seq is the frame's place in presentation order");
    if (s->live()) continue;
    for (auto reason : {core::drop_reason::shed, core::drop_reason::slow_sink, core::drop_reason::shutdown})
      require(books.dropped_for(reason) == 0, "lossless streams lose nothing");
    if (quarantined_ == 0) require(books.dropped_for(core::drop_reason::poison) == 0, "poison only by quarantine");
  }
}

} // namespace penstock::test
