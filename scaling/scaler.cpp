#include "scaling/scaler.hpp"

#include <algorithm>
#include <utility>

namespace penstock::scaling {

scaler::scaler(const controller_options& options, scaler_parts parts, bool acts)
    : options_{options}, parts_{std::move(parts)}, acts_{acts} {
  if (!acts_) options_.names_instances = false;
  // Whoever reads metrics meanwhile must not take nothing for a wish.
  parts_.shown.wanted.set(options_.min);
}

void scaler::note(const core::error& why, const metrics::counter& in, scaling_round& out) const {
  in.add();
  out.trouble.push_back(why);
}

bool scaler::may_act() const { return acts_ && (!parts_.lead || parts_.lead->leads(parts_.clock())); }

/// Whether it is ours to decide. An error of the ledger says nothing about that: what is held is held.
bool scaler::is_leading(scaling_round& out) {
  if (!parts_.lead || !acts_) return true;
  if (auto renewed = parts_.lead->renew(parts_.clock()); !renewed) {
    note({renewed.error().code, "who leads: " + renewed.error().message}, parts_.shown.source_errors, out);
  }
  return parts_.lead->leads(parts_.clock());
}

void scaler::keep_lead() {
  scaling_round unsaid; // the next round says it
  static_cast<void>(is_leading(unsaid));
}

core::expected<void> scaler::stop() {
  if (!parts_.lead) return {};
  return parts_.lead->resign();
}

scaling_round scaler::step() {
  scaling_round out;
  if (!is_leading(out)) {
    out.led_by = parts_.lead->who();
    deciding_.reset(); // whoever leads goes on from what there is, and so do we when it is our turn again
    leaving_.clear();
    protected_.clear();
    parts_.shown.frozen.set(0);
    parts_.shown.wanted.set(0); // whoever leads says it
    parts_.shown.joining.set(0);
    has_decided_ = false;
    return out;
  }
  if (!deciding_) {
    parts_.shown.wanted.set(options_.min);
    auto policies = parts_.policies();
    if (!policies) {
      note(policies.error(), parts_.shown.policy_errors, out);
      return out;
    }
    deciding_.emplace(options_, std::move(*policies));
    shown_ = {};
  }
  const auto known = look(out);
  out.made = deciding_->decide(parts_.clock(), known);
  show(*out.made);
  if (acts_) act(*out.made, out);
  return out;
}

observation scaler::look(scaling_round& out) {
  observation known{parts_.source->read(), parts_.machines->observe(), std::vector<worker_view>{}};
  if (options_.names_instances) known.workers = parts_.workers->observe();
  for (const auto& each : parts_.machines->problems()) note(each, parts_.shown.fleet_errors, out);
  if (!known.seen) note(known.seen.error(), parts_.shown.source_errors, out);
  if (!known.fleet) note(known.fleet.error(), parts_.shown.fleet_errors, out);
  if (!known.workers) {
    note(known.workers.error(), parts_.shown.source_errors, out);
    return known;
  }
  // One that was asked to leave and is not there any more may have left between two rounds.
  for (const auto& name : leaving_) {
    if (std::ranges::find(*known.workers, name, &worker_view::name) == known.workers->end())
      known.workers->push_back({name, worker_stage::gone, 0});
  }
  if (known.fleet) {
    std::erase_if(leaving_, [&](const std::string& name) {
      return std::ranges::find(known.fleet->instances, name, &instance::worker) == known.fleet->instances.end();
    });
  }
  return known;
}

void scaler::act(const decision& made, scaling_round& out) {
  for (const auto& worker : made.drain) {
    if (!may_act()) break;
    if (auto asked = parts_.workers->drain(worker); !asked) {
      note({asked.error().code, "draining " + worker + ": " + asked.error().message}, parts_.shown.fleet_errors, out);
      continue;
    }
    leaving_.insert(worker);
  }
  if (options_.names_instances && !made.is_frozen()) protect(out);
  if (!made.retire.empty() && may_act()) {
    if (auto retired = parts_.machines->retire(made.retire); !retired)
      note({retired.error().code, "retiring: " + retired.error().message}, parts_.shown.fleet_errors, out);
  }
  if (!made.target) return;
  if (!may_act()) return deciding_->not_asked();
  if (auto asked = parts_.machines->set_target(*made.target); !asked) {
    deciding_->not_asked();
    note({asked.error().code, "asking for instances: " + asked.error().message}, parts_.shown.fleet_errors, out);
  }
}

/// Who still finishes what it has must not be chosen by the fleet's owner.
void scaler::protect(scaling_round& out) {
  const auto& members = deciding_->who().members();
  std::erase_if(protected_, [&](const std::string& id) { return !members.contains(id); });
  for (const auto& [id, one] : members) {
    const bool works = one.is_present() && one.draining_since && !one.has_drained();
    if (!works || one.is_protected || protected_.contains(id)) continue;
    if (!may_act()) return;
    if (auto done = parts_.machines->protect(id, true); !done) {
      note({done.error().code, "protecting " + id + ": " + done.error().message}, parts_.shown.fleet_errors, out);
      continue;
    }
    protected_.insert(id);
  }
}

void scaler::show(const decision& made) {
  const auto& now = deciding_->counts();
  const auto& shown = parts_.shown;
  shown.out.add(static_cast<double>(now.out - shown_.out));
  shown.in.add(static_cast<double>(now.in - shown_.in));
  shown.hold.add(static_cast<double>(now.hold - shown_.hold));
  shown.frozen_decisions.add(static_cast<double>(now.frozen - shown_.frozen));
  shown.direction_changes.add(static_cast<double>(now.direction_changes - shown_.direction_changes));
  shown_ = now;
  shown.frozen.set(made.is_frozen() ? 1 : 0);
  // What was wanted before holds while nothing is known.
  if (!made.is_frozen()) {
    shown.wanted.set(made.want);
    if (options_.names_instances) shown.joining.set(made.seen->workers.joining);
    has_decided_ = true;
  } else if (!has_decided_) {
    shown.wanted.set(std::max(options_.min, made.want));
  }
}

} // namespace penstock::scaling
