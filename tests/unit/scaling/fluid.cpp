#include "tests/unit/scaling/fluid.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <string>

namespace penstock::scaling::test {

namespace {

struct vm {
  std::string id;
  double ready_at_s = 0;
  bool draining = false;
  double drained_at_s = 0;
};

struct second_seen {
  double arrived = 0;
  double served = 0;
  double late = 0;
  double ready = 0;
};

class tank {
 public:
  tank(controller& decider, const fluid_options& options) : decider_{decider}, options_{options} {
    for (int i = 0; i < options.workers; ++i) add(0);
  }

  void pass(double arriving) {
    constexpr int parts = 20;
    double ready = 0;
    for (const auto& v : vms_) ready += v.ready_at_s <= now_s_ && !v.draining ? 1 : 0;
    second_seen seen{arriving, 0, 0, ready};
    const double capacity = ready * options_.service_per_s;
    for (int i = 0; i < parts; ++i) {
      waiting_ += arriving / parts;
      const double served = std::min(waiting_, capacity / parts);
      waiting_ -= served;
      seen.served += served;
      const double service_s = 1 / options_.service_per_s;
      if (waiting_ > capacity * (options_.objective.count() - service_s)) seen.late += arriving / parts;
    }
    waiting_ = std::min(waiting_, capacity * options_.deadline.count());
    seen_.push_back(seen);
    if (static_cast<double>(seen_.size()) > options_.window.count()) seen_.pop_front();
    arrived_ += seen.arrived;
    late_ += seen.late;
    result_.instance_s += static_cast<double>(vms_.size());
    result_.most_instances = std::max(result_.most_instances, static_cast<int>(vms_.size()));
    now_s_ += 1;
    if (static_cast<int>(now_s_) % options_.interval_s == 0) decide();
  }

  [[nodiscard]] fluid_result result() const {
    auto out = result_;
    out.late_share = arrived_ > 0 ? late_ / arrived_ : 0;
    out.mean_instances = out.instance_s / now_s_;
    out.changes_per_h = static_cast<double>(decider_.counts().direction_changes) / (now_s_ / 3600);
    return out;
  }

 private:
  void add(double ready_at_s) {
    vms_.push_back({"vm-" + std::to_string(made_), ready_at_s, false, 0});
    ++made_;
    ++target_;
  }

  [[nodiscard]] signals measure(core::time_point now) const {
    second_seen sum;
    for (const auto& s : seen_) {
      sum.arrived += s.arrived;
      sum.served += s.served;
      sum.late += s.late;
      sum.ready += s.ready;
    }
    const auto length = static_cast<double>(seen_.size());
    signals out;
    out.at = now;
    out.window = options_.window;
    out.arrivals_per_s = sum.arrived / length;
    out.served_per_s = sum.served / length;
    out.service_per_s = sum.served > 0 ? options_.service_per_s : 0;
    out.utilisation = sum.ready > 0 ? sum.served / options_.service_per_s / sum.ready : 0;
    out.backlog_items = waiting_;
    out.late_share = sum.arrived > 0 ? sum.late / sum.arrived : 0;
    return out;
  }

  void decide() {
    const core::time_point now{std::chrono::seconds{static_cast<int>(now_s_)}};
    observation known{measure(now), fleet_state{target_, {}}, std::vector<worker_view>{}};
    for (const auto& v : vms_) {
      const bool is_up = v.ready_at_s <= now_s_;
      known.fleet->instances.push_back(
          {v.id, "worker-" + v.id, is_up ? instance_state::running : instance_state::provisioning, false});
      if (!is_up) continue;
      auto stage = worker_stage::ready;
      if (v.draining) stage = v.drained_at_s <= now_s_ ? worker_stage::gone : worker_stage::draining;
      known.workers->push_back({"worker-" + v.id, stage, stage == worker_stage::gone ? 0 : 1});
    }
    const auto made = decider_.decide(now, known);
    for (const auto& worker : made.drain) {
      for (auto& v : vms_) {
        if ("worker-" + v.id != worker) continue;
        v.draining = true;
        v.drained_at_s = now_s_ + 5;
      }
    }
    for (const auto& id : made.retire) {
      const auto gone = std::find_if(vms_.begin(), vms_.end(), [&](const vm& v) { return v.id == id; });
      const bool had_worker = gone->ready_at_s <= now_s_;
      if (had_worker && (!gone->draining || gone->drained_at_s > now_s_)) ++result_.early_retirements;
      vms_.erase(gone);
      --target_;
    }
    while (made.target && target_ < *made.target) add(now_s_ + options_.boot.count());
  }

  controller& decider_;
  fluid_options options_;
  std::vector<vm> vms_;
  std::deque<second_seen> seen_;
  fluid_result result_;
  int made_ = 0;
  int target_ = 0;
  double now_s_ = 0;
  double waiting_ = 0;
  double arrived_ = 0;
  double late_ = 0;
};

} // namespace

fluid_result flow(const load& arrivals, controller& decider, const fluid_options& options) {
  tank run{decider, options};
  for (const auto items : arrivals) run.pass(items);
  return run.result();
}

} // namespace penstock::scaling::test
