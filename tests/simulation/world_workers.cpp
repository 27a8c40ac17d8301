#include <algorithm>

#include "tests/simulation/world_parts.hpp"

// Workers, and their connections to the head.

namespace penstock::test {

using namespace dispatch;

void world::start_worker(std::int64_t us) {
  auto p = processes_.emplace_back(std::make_shared<process>());
  p->capacity = {static_cast<std::uint32_t>(rng_.between(1, 3)), static_cast<std::uint32_t>(what_.streams.size())};
  join(p, us);
}

/// The process says hello to whatever head is there, and tries again where there is none.
void world::join(const std::shared_ptr<process>& p, std::int64_t us) {
  at(us, [this, p] {
    if (p->dead) return;
    if (!head_ || now_us_ < p->paused_until) {
      join(p, std::max(p->paused_until, now_us_ + rng_.between(10'000, 100'000)));
      return;
    }
    if (const auto last = p->last.lock(); last && last->life == life_) {
      head_->worker_lost(last->id, now(), actions_); // the new link takes over
      head_->worker_returned(last->id);
    }
    auto w = std::make_shared<worker>();
    w->id = {next_worker_++};
    w->life = life_;
    w->runs = p;
    w->in_link = w->out_link = now_us_;
    p->last = w;
    workers_[w->id.value] = w;
    log("join worker " + std::to_string(w->id.value));
    w->credit_given = p->capacity.bulk;
    head_->worker_joined(w->id, p->capacity, now(), actions_);
    head_->worker_credit(w->id, p->capacity.bulk, now(), actions_);
    beat(*w);
  });
}

void world::beat(worker& w) {
  at_worker(w.shared_from_this(), now_us_ + 100'000, [this](worker& me) {
    to_head(me, false, [this, id = me.id] { head_->worker_heartbeat(id, now()); });
    beat(me);
  });
}

/// What is on its way is cut off somewhere; the worker forgets all that it had.
void world::disconnect(worker& w) {
  w.connected = false;
  w.heard_until = now_us_ + rng_.between(0, 2000);
  w.tasks.clear();
}

void world::crash(worker& w, bool noticed) {
  if (!w.connected) return;
  log("crash worker " + std::to_string(w.id.value));
  disconnect(w);
  w.runs->dead = true;
  if (noticed)
    in_this_life(now_us_ + rng_.between(2000, 7000), [this, id = w.id] { head_->worker_lost(id, now(), actions_); });
  start_worker(now_us_ + rng_.between(10'000, 1'000'000));
}

void world::reset(worker& w) {
  log("reset the link of worker " + std::to_string(w.id.value));
  disconnect(w);
  if (rng_.chance(0.7))
    in_this_life(now_us_ + rng_.between(2000, 7000), [this, id = w.id] { head_->worker_lost(id, now(), actions_); });
  join(w.runs, now_us_ + rng_.between(1000, 1'000'000));
}

void world::pause(worker& w) {
  const auto& p = w.runs;
  log("pause worker " + std::to_string(w.id.value));
  p->paused_until = std::max(p->paused_until, now_us_ + rng_.between(10'000, 3'000'000));
  at(p->paused_until, [this, p] { thaw(p); });
}

void world::thaw(const std::shared_ptr<process>& p) {
  if (now_us_ < p->paused_until) return; // paused anew
  for (; !p->held.empty(); p->held.pop_front()) p->held.front()();
}

/// The head was without news of the worker for too long. Whatever that still says is in vain, until it learns of it.
void world::forget(core::worker_id id) {
  log("expired " + std::to_string(id.value));
  to_worker(id, [this](worker& w) {
    log("worker " + std::to_string(w.id.value) + " learns that it is out");
    ++counts_.rejoined;
    disconnect(w);
    join(w.runs, now_us_ + rng_.between(1000, 100'000));
  });
}

void world::leave(worker& w) {
  if (w.leaving) return;
  log("worker " + std::to_string(w.id.value) + " wants to leave");
  w.leaving = true;
  to_head(w, false, [this, id = w.id] {
    head_->worker_draining(id, now(), actions_);
    to_worker(id, [this](worker& me) {
      me.may_leave = true;
      leave_if_done(me);
    });
  });
}

void world::leave_if_done(worker& w) {
  if (!w.may_leave || !w.tasks.empty() || !w.connected) return;
  to_head(w, false, [this, id = w.id] {
    if (!what_.wrong.lossy())
      require(head_->dispatching().load_of(id).bulk + head_->dispatching().load_of(id).requests == 0,
              "a worker that left in order leaves nothing undone");
    ++counts_.left;
    head_->worker_lost(id, now(), actions_);
  });
  w.connected = false;
  w.runs->dead = true;
  start_worker(now_us_ + rng_.between(10'000, 1'000'000));
}

/// Something a worker does at a time, later if it is paused, never if its connection is gone by then.
void world::at_worker(const std::shared_ptr<worker>& w, std::int64_t us, worker_action what) {
  at(us, [this, w, what = std::move(what)] {
    auto todo = [w, what] {
      if (w->connected) what(*w);
    };
    if (now_us_ < w->runs->paused_until || !w->runs->held.empty())
      w->runs->held.emplace_back(std::move(todo));
    else
      todo();
  });
}

void world::to_worker(core::worker_id id, worker_action message) {
  const auto found = workers_.find(id.value);
  require(found != workers_.end(), "messages go to workers that exist");
  auto& w = *found->second;
  w.in_link = std::max(w.in_link + 1, now_us_ + rng_.between(50, 2000));
  at_worker(found->second, w.in_link, std::move(message));
}

/// `fenced`: it names an epoch.
void world::to_head(worker& w, bool fenced, action message) {
  w.out_link = std::max(w.out_link + 1, now_us_ + rng_.between(50, 2000));
  arrive(w.shared_from_this(), w.out_link, fenced, std::move(message));
}

void world::arrive(const std::shared_ptr<worker>& from, std::int64_t us, bool fenced, action message) {
  at(us, [this, from, fenced, message = std::move(message)] {
    if (from->life == life_) {
      if (now_us_ <= from->heard_until) message();
      return;
    }
    if (!fenced || !from->lingers) return;
    if (!head_) return arrive(from, now_us_ + rng_.between(1000, 100'000), fenced, message);
    const auto stale = [&] { return head_->collecting().ignored().stale + head_->dispatching().ignored().stale; };
    const auto before = stale();
    message();
    require(stale() == before + 1 && actions_.empty(), "a message of another life changes nothing, and is counted");
    ++counts_.stale_messages;
  });
}

// ---- what a worker does with a segment

void world::open(worker& w, const send_open& m) {
  log("worker " + std::to_string(w.id.value) + " opens " + text(m.segment));
  if (!m.live) {
    --w.credit_given;
    require(w.credit_given >= 0, "credit is never exceeded");
  }
  require(!w.may_leave, "nothing new comes to a worker that may leave");
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
  const auto& s = stream_of(m.segment.stream);
  const auto index = s.index_of.at(m.packet.get());
  if (m.ordinal != t.next_ordinal || s.fails.contains(index)) {
    log("worker " + std::to_string(w.id.value) + " fails " + text(m.segment) + "#" + std::to_string(m.ordinal));
    to_head(w, true, [this, id = w.id, segment = m.segment] {
      head_->segment_failed(id, segment, {core::errc::corrupt, "a packet is missing"}, now(), actions_);
    });
    drop_task(w, m.segment);
    return;
  }
  if (s.kills.contains(index)) {
    crash(w, rng_.chance(0.8));
    return;
  }
  if (s.cuts.contains(index)) {
    reset(w);
    return;
  }
  ++t.next_ordinal;
  if (t.decoded.empty())
    require(m.packet->access != core::random_access::none, "a segment starts where a decoder can start");
  for (auto r : s.packets[index].refers_to) require(t.decoded.contains(r), "a segment has all its decoder needs");
  t.decoded.insert(index);
  if (m.packet->damaged && m.wanted) {
    to_head(w, true, [this, id = core::result_id{m.segment, m.ordinal}] {
      head_->outcome(core::dropped_outcome(id, core::drop_reason::corrupt), now(), actions_);
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
  at_worker(w.shared_from_this(), w.busy_until,
            [this, result = core::result_id{id, frame.first}, pts = pts](worker& me) {
              const auto send = [&] {
                to_head(me, true, [this, result, pts, life = me.life] {
                  core::frame_outcome outcome;
                  outcome.id = result;
                  outcome.objects.resize(1);
                  outcome.objects[0].track = pts;
                  outcome.objects[0].class_index = static_cast<int>(life);
                  head_->outcome(std::move(outcome), now(), actions_);
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
  at_worker(w.shared_from_this(), std::max(w.busy_until, now_us_) + 1, [this, id](worker& me) {
    if (!me.tasks.contains(id)) return;
    log("worker " + std::to_string(me.id.value) + " done " + text(id));
    if (!faulty() || !rng_.chance(what_.wrong.lose_done))
      to_head(me, true, [this, worker = me.id, id] { head_->segment_done(worker, id, now(), actions_); });
    drop_task(me, id);
  });
}

void world::drop_task(worker& w, core::segment_id id) {
  const auto found = w.tasks.find(id);
  if (found == w.tasks.end()) return;
  const bool live = found->second.live;
  w.tasks.erase(found);
  if (!live) {
    ++w.credit_given;
    to_head(w, false, [this, worker = w.id] { head_->worker_credit(worker, 1, now(), actions_); });
  }
  leave_if_done(w);
}

} // namespace penstock::test
