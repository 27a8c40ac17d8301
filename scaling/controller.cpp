#include "scaling/controller.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <tuple>
#include <utility>

#include "scaling/policy/checks.hpp"

namespace penstock::scaling {

namespace {

/// Policies reckon with these.
bool is_sound(const signals& seen) {
  const auto values = {seen.arrivals_per_s, seen.served_per_s,   seen.service_per_s, seen.utilisation,
                       seen.backlog_items,  seen.oldest.count(), seen.late_share,    seen.streams_per_worker,
                       seen.window.count(), seen.boot.count()};
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v) && v >= 0; });
}

} // namespace

controller::controller(const controller_options& options, std::vector<policy_ptr> policies)
    : options_{options}, policies_{std::move(policies)} {}

decision controller::decide(core::time_point now, const observation& known) {
  decision out;
  out.at = now;
  look(now, known, out);
  if (const auto because = blind(now, known); !because.empty()) {
    out.action = scaling_action::frozen;
    out.want = out.have;
    out.why = fmt::format("frozen at {}: {}", out.have, because);
    if (options_.names_instances && known.fleet && known.workers && out.have < options_.min) {
      out.want = std::min(options_.min, out.have + options_.max_step);
      ask(now, out);
    }
    count(out);
    return out;
  }
  if (!options_.names_instances) {
    auto seen = *known.seen;
    seen.workers.joining += pending_;
    choose(seen, out);
    only_number(*known.fleet, out);
    count(out);
    return out;
  }
  retire(now, out);
  choose(as_seen(*known.seen), out);
  if (out.want > out.have) ask(now, out);
  if (out.want < out.have) drain(now, out);
  count(out);
  return out;
}

/// Takes in what can be seen, even while the rest is missing.
void controller::look(core::time_point now, const observation& known, decision& out) {
  if (!options_.names_instances) return look_at_number(now, known, out);
  if (!known.fleet || !known.workers) {
    was_blind_ = true;
  } else {
    roster_.look(now, *known.fleet, *known.workers);
    excuse(now);
    if (!asked_at_) {
      asked_ = known.fleet->target;
      asked_at_ = now;
    }
    counts_.vanished += static_cast<std::uint64_t>(roster_.vanished());
    asked_ = std::max(asked_ - roster_.vanished() - roster_.failed(), roster_.present());
  }
  const bool is_patient = asked_at_ && now - *asked_at_ < options_.allocation_patience;
  const int absent = std::max(0, asked_ - roster_.present());
  pending_ = is_patient ? absent : 0;
  out.missing = absent - pending_;
  const auto counts = roster_.counts();
  out.booting = counts.joining + counts.warming + pending_;
  out.have = counts.ready + out.booting;
  out.draining = counts.draining;
}

/// What was asked for last is taken to be on its way for a while, as nobody tells of it.
void controller::look_at_number(core::time_point now, const observation& known, decision& out) {
  if (known.fleet) {
    if (known.fleet->target > asked_) asked_at_ = now;
    asked_ = known.fleet->target;
  }
  if (!known.seen) {
    out.have = asked_;
    return;
  }
  const int there = known.seen->workers.coming();
  const bool is_patient = asked_at_ && now - *asked_at_ < options_.boot_limit;
  pending_ = is_patient ? std::max(0, asked_ - there) : 0;
  out.booting = known.seen->workers.joining + known.seen->workers.warming + pending_;
  out.have = there + pending_;
}

/// What says nothing about an instance does not count against it.
void controller::excuse(core::time_point now) {
  const bool nobody_works = roster_.counts().ready == 0;
  const auto passed = looked_at_ ? now - *looked_at_ : core::time_point::duration{0};
  for (auto& [id, one] : roster_.members()) {
    if (!one.is_ready() && (was_blind_ || (nobody_works && one.was_ready)))
      one.ready_at = std::min(now, one.ready_at + passed);
  }
  looked_at_ = now;
  was_blind_ = false;
}

void controller::not_asked() noexcept {
  asked_ = roster_.present();
  pending_ = 0;
}

/// Why nothing can be decided; empty if it can.
std::string controller::blind(core::time_point now, const observation& known) const {
  if (!known.fleet) return "the fleet cannot be seen: " + known.fleet.error().message;
  if (options_.names_instances && !known.workers) return "the workers cannot be seen: " + known.workers.error().message;
  if (!known.seen) return "no signals: " + known.seen.error().message;
  if (!is_sound(*known.seen)) return "the signals are no numbers";
  const core::seconds age{now - known.seen->at};
  if (age > options_.stale_after) {
    return fmt::format("the signals are {:.0f} s old, more than {:.0f} s", age.count(), options_.stale_after.count());
  }
  return {};
}

void controller::retire(core::time_point now, decision& out) {
  const bool somebody_works = roster_.counts().ready > 0;
  int replaced = 0;
  for (auto& [id, one] : roster_.members()) {
    if (one.state == instance_state::deleting) continue;
    if (one.retired_at) {
      if (now - *one.retired_at < options_.repeat_after) continue;
    } else if (one.state == instance_state::failed) {
      ++counts_.failed_boots;
    } else if (one.draining_since) {
      const bool timed_out = now - *one.draining_since >= options_.drain_timeout;
      if (!one.has_drained() && !timed_out) continue;
      if (!one.has_drained()) ++counts_.drain_timeouts;
      --out.draining;
    } else {
      // Where nobody works any more who once did, it is not the instances that are at fault. Protected is the work.
      const bool is_dead = !one.is_ready() && now - one.ready_at >= options_.boot_limit &&
                           !(one.is_protected && one.stage) && (!one.was_ready || somebody_works);
      if (!is_dead || replaced == options_.max_step) continue;
      ++replaced;
      ++counts_.failed_boots;
      --out.booting;
      --out.have;
    }
    if (one.is_present()) --asked_;
    one.retired_at = now;
    out.retire.push_back(id);
  }
  if (replaced > 0) out.why = fmt::format("; {} replaced that never became workers", replaced);
}

/// Signals with workers as the fleet has them: the head knows nothing of those that boot.
signals controller::as_seen(const signals& raw) const {
  auto seen = raw;
  seen.workers = roster_.counts();
  seen.workers.lost = std::max(seen.workers.lost, raw.workers.lost); // the head forgets them soon, its meter later
  seen.workers.joining += pending_;
  if (roster_.boot_time().count() > 0) seen.boot = roster_.boot_time();
  return seen;
}

void controller::choose(const signals& seen, decision& out) {
  proposal best{0, "no policy"};
  for (const auto& p : policies_) {
    auto proposed = p->propose(seen);
    if (!out.policy.empty() && proposed.workers <= best.workers) continue;
    best = std::move(proposed);
    out.policy = p->name();
  }
  auto bounds = std::exchange(out.why, {});
  const int within = std::clamp(best.workers, options_.min, options_.max);
  if (within != best.workers) {
    bounds += fmt::format("; {} {}", within < best.workers ? "at most" : "at least", within);
  }
  out.want = std::clamp(within, out.have - options_.max_step, out.have + options_.max_step);
  if (out.want != within) bounds += fmt::format("; {} by {} at a time", within, options_.max_step);
  out.why = fmt::format("want {}, have {}: {}{}", out.want, out.have, best.why, bounds);
  out.seen = seen;
}

void controller::only_number(const fleet_state& fleet, decision& out) const {
  if (out.want > out.have) out.action = scaling_action::out;
  if (out.want < out.have) out.action = scaling_action::in;
  if (out.want != fleet.target) out.target = out.want;
}

void controller::ask(core::time_point now, decision& out) {
  if (out.missing > 0 && now - *asked_at_ < options_.ask_again_after) {
    out.why += fmt::format("; the fleet gave {} of {}, it is asked again {:.0f} s after", roster_.present(), asked_,
                           options_.ask_again_after.count());
    return;
  }
  asked_ = roster_.present() + pending_ + out.want - out.have;
  asked_at_ = now;
  out.target = asked_;
  if (!out.is_frozen()) out.action = scaling_action::out;
}

void controller::drain(core::time_point now, decision& out) {
  std::vector<member*> able;
  for (auto& [id, one] : roster_.members()) {
    if (one.is_ready() && !one.is_protected) able.push_back(&one);
  }
  std::sort(able.begin(), able.end(), [](const member* a, const member* b) {
    return std::tuple{a->leases, b->first_seen, a->id} < std::tuple{b->leases, a->first_seen, b->id};
  });
  const int called_off = call_off(now, out);
  // What boots may yet fail: who is ready stays until enough are.
  const int to_spare = std::max(0, roster_.counts().ready - out.want);
  const auto leaving = static_cast<std::size_t>(std::min(out.have - out.want - called_off, to_spare));
  for (std::size_t i = 0; i < std::min(leaving, able.size()); ++i) {
    able[i]->draining_since = now;
    out.drain.push_back(able[i]->worker);
    out.action = scaling_action::in;
  }
  if (out.drain.size() < leaving) out.why += "; the others are protected";
  if (out.drain.empty() && called_off == 0 && to_spare == 0) out.why += "; nobody leaves until enough are ready";
}

/// Instances that nobody needs any more before there is a worker on them: the youngest, as they would be the last.
int controller::call_off(core::time_point now, decision& out) {
  std::vector<member*> young;
  for (auto& [id, one] : roster_.members()) {
    if (one.is_capacity() && one.is_new && !one.stage && !one.was_ready && !one.is_protected) young.push_back(&one);
  }
  std::sort(young.begin(), young.end(), [](const member* a, const member* b) {
    return std::tuple{b->first_seen, a->id} < std::tuple{a->first_seen, b->id};
  });
  const auto many = std::min(young.size(), static_cast<std::size_t>(out.have - out.want));
  for (std::size_t i = 0; i < many; ++i) {
    young[i]->retired_at = now;
    out.retire.push_back(young[i]->id);
    out.action = scaling_action::in;
  }
  asked_ -= static_cast<int>(many);
  if (many > 0) out.why += fmt::format("; {} that boot are called off", many);
  return static_cast<int>(many);
}

/// Repeats what may not have arrived, and counts.
void controller::count(decision& out) {
  if (!out.is_frozen()) {
    for (const auto& [id, one] : roster_.members()) {
      const bool heeds = one.stage == worker_stage::draining || one.has_drained();
      const bool is_new = std::find(out.drain.begin(), out.drain.end(), one.worker) != out.drain.end();
      if (one.is_present() && one.draining_since && !heeds && !is_new) out.drain.push_back(one.worker);
    }
  }
  switch (out.action) {
  case scaling_action::out: ++counts_.out; break;
  case scaling_action::in: ++counts_.in; break;
  case scaling_action::hold: ++counts_.hold; break;
  case scaling_action::frozen: ++counts_.frozen; break;
  }
  if (out.action != scaling_action::out && out.action != scaling_action::in) return;
  if (direction_ && *direction_ != out.action) ++counts_.direction_changes;
  direction_ = out.action;
}

core::expected<void> controller_options::validate() const {
  return check::at_least("min", min, 0)
      .and_then([&] { return check::at_least("max", max, std::max(min, 1)); })
      .and_then([&] { return check::at_least("max_step", max_step, 1); })
      .and_then([&] { return check::above_zero("stale_after", stale_after); })
      .and_then([&] { return check::above_zero("drain_timeout", drain_timeout); })
      .and_then([&] { return check::above_zero("boot_limit", boot_limit); })
      .and_then([&] { return check::above_zero("allocation_patience", allocation_patience); })
      .and_then([&] { return check::above_zero("ask_again_after", ask_again_after); })
      .and_then([&] { return check::above_zero("repeat_after", repeat_after); });
}

} // namespace penstock::scaling
