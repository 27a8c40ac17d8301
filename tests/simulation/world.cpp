#include "tests/simulation/world.hpp"

#include <algorithm>
#include <ostream>

#include "tests/simulation/world_parts.hpp"

namespace penstock::test {

using namespace dispatch;

world::world(const scenario& what, std::ostream* trace) : what_{what}, trace_{trace}, rng_{what.seed} {}

world::~world() {
  for (const auto& p : processes_) p->held.clear(); // what it holds refers to workers, which refer to it
}

world::counts& world::counts::operator+=(const counts& other) noexcept {
  events += other.events;
  quarantined += other.quarantined;
  head_crashes += other.head_crashes;
  resumed_streams += other.resumed_streams;
  stale_messages += other.stale_messages;
  checkpoints += other.checkpoints;
  rejoined += other.rejoined;
  left += other.left;
  requests += other.requests;
  requests_delivered += other.requests_delivered;
  requests_late += other.requests_late;
  requests_poisoned += other.requests_poisoned;
  requests_again += other.requests_again;
  return *this;
}

void world::log(const std::string& line) const {
  if (trace_) *trace_ << now_us_ << " " << line << "\n";
}

void world::require(bool truth, const char* rule) const {
  if (!truth) throw violation{"at " + std::to_string(now_us_) + " us: " + rule};
}

void world::in_this_life(std::int64_t us, action what) {
  at(us, [this, life = life_, what = std::move(what)] {
    if (head_ && life == life_) what();
  });
}

void world::run() {
  for (std::uint32_t i = 0; i < what_.streams.size(); ++i) add_source(i);
  for (int i = 0; i < what_.workers; ++i) start_worker(0);
  start_head();
  carry_out();
  misbehave();
  if (what_.request_every_us > 0) ask();
  const auto done = [&] {
    return head_ && asked_.empty() &&
           std::all_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->finished; });
  };
  while (!done()) {
    require(now_us_ < 600'000'000, "progress once faults stop: the world stands still");
    step();
  }
  check_end();
  wind_up();
}

void world::step() {
  auto next = queue_.top();
  queue_.pop();
  now_us_ = next.at_us;
  next.what();
  carry_out();
  ++counts_.events;
  check();
}

void world::misbehave() {
  if (!faulty()) return;
  std::vector<worker*> there;
  for (auto& [_, w] : workers_)
    if (w->connected) there.push_back(w.get());
  constexpr std::int64_t step = 20'000;
  const auto strikes = [&](std::int64_t every) {
    return every > 0 && rng_.chance(static_cast<double>(step) / static_cast<double>(every));
  };
  const auto strike = [&](std::int64_t every, auto&& fault) {
    if (strikes(every) && !there.empty())
      fault(*there[static_cast<std::size_t>(rng_.between(0, static_cast<std::int64_t>(there.size()) - 1))]);
  };
  const auto& wrong = what_.wrong;
  strike(wrong.crash_every_us, [&](worker& w) { crash(w, rng_.chance(0.7)); });
  strike(wrong.pause_every_us, [&](worker& w) { pause(w); });
  strike(wrong.reset_every_us, [&](worker& w) { reset(w); });
  strike(wrong.leave_every_us, [&](worker& w) { leave(w); });
  if (head_ && strikes(wrong.head_crash_every_us)) crash_head();
  at(now_us_ + step, [this] { misbehave(); });
}

// ---- the head's lives

void world::start_head() {
  auto config = what_.head;
  config.epoch = epoch();
  log("head starts, epoch " + std::to_string(config.epoch));
  head_.emplace(config);
  next_worker_ = 0;
  for (auto& s : sources_) open_stream(*s);
  tick();
}

void world::crash_head() {
  log("head dies");
  for (const auto& s : sources_) check_end_of_life(*s);
  for (const auto id : asked_) requests_.at(id)->open = false; // their clients see it
  asked_.clear();
  head_.reset();
  actions_.clear();
  ++life_;
  ++counts_.head_crashes;
  for (auto& s : sources_) { // a sink may have written more than it said
    auto& waiting = s->unacknowledged;
    const auto written = rng_.between(0, static_cast<std::int64_t>(waiting.size()));
    s->durable.insert(s->durable.end(), waiting.begin(), waiting.begin() + written);
    waiting.clear();
    s->open = s->finished = false;
  }
  for (auto& [_, w] : workers_) { // they notice it sooner or later
    w->lingers = rng_.chance(0.5);
    at(now_us_ + rng_.between(0, 200'000), [this, w = w] {
      if (!w->connected) return;
      disconnect(*w);
      join(w->runs, now_us_ + rng_.between(1000, 200'000));
    });
  }
  workers_.clear();
  at(now_us_ + rng_.between(1000, 300'000), [this] { start_head(); });
}

void world::tick() {
  head_->tick(now(), actions_);
  in_this_life(now_us_ + tick_us, [this] { tick(); });
}

// ---- the head's wishes

void world::carry_out() {
  while (!actions_.empty()) {
    auto actions = std::move(actions_);
    actions_.clear();
    for (auto& wish : actions) {
      std::visit(core::overloaded{
                     [&](const send_open& m) {
                       auto& s = stream_of(m.segment.stream);
                       require(m.live == (s.live() || s.request()), "workers know for what somebody waits");
                       if (s.request()) check_lease(s);
                       to_worker(m.worker, [this, m](worker& w) { open(w, m); });
                     },
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
                       auto& s = stream_of(m.stream);
                       require(!s.live() && !s.request(), "grants are for lossless streams");
                       const bool idle = s.granted == 0;
                       s.granted += m.packets;
                       if (idle) in_this_life(now_us_ + 1, [this, &s] { push_lossless(s); });
                     },
                     [&](const quarantine& m) {
                       log("quarantine " + text(m.segment) + ": " + m.reason);
                       auto& s = stream_of(m.segment.stream);
                       s.quarantined = true;
                       ++(s.request() ? counts_.requests_poisoned : counts_.quarantined);
                     },
                     [&](const worker_expired& m) { forget(m.worker); },
                     [&](const emit& m) { receive(m); },
                     [&](const checkpoint& m) { receive(m); },
                     [&](const source_changed&) { require(false, "an unchanged source is known again"); },
                     [&](const stream_finished& m) { finish(stream_of(m.stream)); },
                 },
                 wish);
    }
  }
}

} // namespace penstock::test
