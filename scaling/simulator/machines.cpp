#include <algorithm>
#include <utility>

#include "scaling/simulator/world.hpp"

namespace penstock::scaling::simulator {

namespace {

std::vector<task>::iterator find(std::vector<task>& tasks, core::segment_id id) {
  return std::ranges::find(tasks, id, &task::id);
}

} // namespace

// ---- instances come and go

std::uint32_t world::ask_for_instance() {
  const auto number = static_cast<std::uint32_t>(machines_.size());
  machine m;
  m.id = {number};
  m.asked_us = now_us_;
  m.batches.resize(static_cast<std::size_t>(what_.service.instances));
  machines_.push_back(std::move(m));
  there_.push_back(number);
  ++results_.asked;
  return number;
}

void world::boot_ended(machine& m) {
  if (m.now != phase::joining) return;
  if (rng_.chance(what_.machines.fails)) {
    ++results_.failed;
    m.now = phase::failed;
    return;
  }
  m.now = phase::warming;
  at(now_us_ + to_us(what_.machines.warm_s), kind::warmed, m.id.value);
}

void world::join(machine& m) {
  if (m.now != phase::warming && m.now != phase::joining) return;
  m.now = phase::ready;
  count_working(1);
  head_.worker_joined(m.id,
                      {static_cast<std::uint32_t>(what_.service.instances), static_cast<std::uint32_t>(what_.places())},
                      now(), actions_);
  if (what_.machines.spot_life_s > 0) {
    const auto life_us = to_us(rng_.exponential(what_.machines.spot_life_s));
    if (what_.machines.notice_s > 0) at(now_us_ + life_us, kind::notice, m.id.value);
    at(now_us_ + life_us + to_us(what_.machines.notice_s), kind::taken, m.id.value);
  }
}

/// Its worker takes nothing new, and leaves when it has done what it has.
void world::drain(machine& m) {
  if (m.now != phase::ready) return;
  m.now = phase::draining;
  head_.worker_draining(m.id, now(), actions_);
  leave_if_done(m);
}

void world::leave_if_done(machine& m) {
  if (m.now != phase::draining || m.tasks > 0) return;
  stop(m, phase::left);
  head_.worker_lost(m.id, now(), actions_, true);
}

/// The instance will be taken away: its worker leaves if there is time.
void world::warn(machine& m) {
  if (!m.works()) return;
  ++results_.taken;
  drain(m);
}

/// The instance is taken away, with what its worker has; after a notice it gives that back in time.
void world::lose(machine& m) {
  const bool excused = what_.machines.notice_s > 0;
  if (!m.works()) {
    stop(m, phase::gone);
    return;
  }
  if (!excused) ++results_.taken;
  abandon(m, excused);
}

/// Its worker goes without having done what it has.
void world::abandon(machine& m, bool excused) {
  stop(m, phase::gone);
  head_.worker_lost(m.id, now(), actions_, excused);
}

/// Its worker is no more.
void world::stop(machine& m, phase next) {
  if (m.now == phase::gone) return;
  if (m.works()) count_working(-1);
  m.now = next;
  m.queue = {};
  m.answered = {};
  m.batches = {};
  m.tasks = 0;
  if (next != phase::gone) return;
  m.gone_us = now_us_;
  gone_instance_s_ += to_s(std::min(now_us_, end_us_) - std::min(m.asked_us, end_us_));
  std::erase(there_, m.id.value);
}

void world::count_working(int change) {
  const auto until_us = std::min(now_us_, end_us_);
  sums_.worked_us += static_cast<double>(until_us - working_since_us_) * working_;
  working_since_us_ = until_us;
  working_ += change;
  if (now_us_ <= end_us_) results_.max_workers = std::max(results_.max_workers, working_);
}

// ---- what workers do

void world::take(const dispatch::send_packet& packet) {
  auto& m = of(packet.worker);
  if (!m.works()) return;
  ++m.tasks;
  if (!packet.wanted) { // nothing is inferred; it only ends with its segment
    m.answered.push_back({packet.segment});
    return;
  }
  m.queue.push_back({packet.segment});
  to_start_.push_back(m.id.value);
}

void world::close(const dispatch::send_close& what) {
  auto& m = of(what.worker);
  if (!m.works()) return;
  if (const auto t = find(m.answered, what.segment); t != m.answered.end()) {
    *t = m.answered.back();
    m.answered.pop_back();
    done(m, what.segment);
    leave_if_done(m);
    return;
  }
  if (const auto t = find(m.queue, what.segment); t != m.queue.end()) {
    t->closed = true;
    return;
  }
  for (auto& batch : m.batches)
    if (const auto t = find(batch, what.segment); t != batch.end()) {
      t->closed = true;
      return;
    }
  head_.segment_done(m.id, what.segment, now(), actions_); // nothing was sent of it
}

void world::revoke(const dispatch::revoke& what) {
  auto& m = of(what.worker);
  if (!m.works()) return;
  for (auto* tasks : {&m.queue, &m.answered})
    if (const auto t = find(*tasks, what.segment); t != tasks->end()) {
      tasks->erase(t);
      --m.tasks;
      leave_if_done(m);
      return;
    }
  for (auto& batch : m.batches) // its instance does it all the same
    if (const auto t = find(batch, what.segment); t != batch.end()) t->revoked = true;
}

/// Idle instances take what waits.
void world::start(machine& m) {
  if (!m.works()) return;
  for (std::uint32_t i = 0; i < m.batches.size() && !m.queue.empty(); ++i) {
    auto& batch = m.batches[i];
    if (!batch.empty()) continue;
    const auto size = std::min(m.queue.size(), static_cast<std::size_t>(what_.service.batch));
    const auto end = m.queue.begin() + static_cast<std::ptrdiff_t>(size);
    batch.assign(m.queue.begin(), end);
    m.queue.erase(m.queue.begin(), end);
    const auto busy_us = std::max<std::int64_t>(1, to_us(what_.service.draw_busy_s(static_cast<int>(size), rng_)));
    sums_.busy_us += static_cast<double>(busy_us);
    at(now_us_ + busy_us, kind::batch_done, m.id.value, i);
  }
}

void world::complete(machine& m, std::uint32_t instance) {
  if (!m.works()) return;
  std::swap(batch_, m.batches[instance]);
  for (const auto& t : batch_) {
    if (t.revoked) {
      --m.tasks;
      continue;
    }
    core::frame_outcome outcome;
    outcome.id = {t.id, 0};
    head_.outcome(std::move(outcome), now(), actions_);
    if (t.closed)
      done(m, t.id);
    else
      m.answered.push_back(t);
  }
  batch_.clear();
  leave_if_done(m);
  to_start_.push_back(m.id.value);
}

void world::done(machine& m, core::segment_id id) {
  --m.tasks;
  head_.segment_done(m.id, id, now(), actions_);
}

} // namespace penstock::scaling::simulator
