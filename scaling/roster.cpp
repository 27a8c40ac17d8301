#include "scaling/roster.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <unordered_map>

namespace penstock::scaling {

namespace {

constexpr std::size_t most_boots = 9;

} // namespace

bool member::is_present() const noexcept {
  return !retired_at && (state == instance_state::provisioning || state == instance_state::running);
}

bool member::has_drained() const noexcept {
  if (!draining_since) return false;
  if (stage == worker_stage::gone) return true;
  if (!saw_draining) return false;
  return !stage || (stage == worker_stage::draining && leases == 0);
}

void roster::look(core::time_point now, const fleet_state& fleet, const std::vector<worker_view>& workers) {
  std::unordered_map<std::string_view, const worker_view*> by_name;
  for (const auto& w : workers) by_name.emplace(w.name, &w);
  std::set<std::string_view> there;
  vanished_ = failed_ = 0;
  for (const auto& seen : fleet.instances) {
    there.insert(seen.id);
    auto [at, added] = members_.try_emplace(seen.id);
    auto& one = at->second;
    if (added) {
      one.id = seen.id;
      one.is_new = looked_;
      one.first_seen = one.ready_at = now;
    }
    const bool was_present = !added && one.is_present();
    if (seen.state == instance_state::failed && one.state != seen.state && !one.retired_at) ++failed_;
    if (!seen.worker.empty()) one.worker = seen.worker;
    one.state = seen.state;
    one.is_protected = seen.is_protected;
    if (was_present && seen.state == instance_state::deleting) ++vanished_;
    const auto worker = one.worker.empty() ? by_name.end() : by_name.find(one.worker);
    see_worker(now, one, worker == by_name.end() ? nullptr : worker->second);
  }
  for (auto at = members_.begin(); at != members_.end();) {
    const bool stays = there.count(at->first) > 0;
    if (!stays && at->second.is_present()) ++vanished_;
    at = stays ? std::next(at) : members_.erase(at);
  }
  looked_ = true;
}

void roster::see_worker(core::time_point now, member& one, const worker_view* worker) {
  one.stage.reset();
  one.leases = 0;
  if (worker == nullptr) return;
  one.stage = worker->stage;
  one.leases = worker->leases;
  if (worker->stage == worker_stage::ready) {
    one.ready_at = now;
    if (one.is_new && !one.was_ready) {
      if (boots_.size() == most_boots) boots_.erase(boots_.begin());
      boots_.push_back(now - one.first_seen);
    }
    one.was_ready = true;
  }
  if (worker->stage == worker_stage::draining) {
    one.saw_draining = true;
    if (!one.draining_since) one.draining_since = now;
  }
}

worker_counts roster::counts() const noexcept {
  worker_counts out;
  for (const auto& [id, one] : members_) {
    if (!one.is_present()) continue;
    if (one.draining_since) {
      ++out.draining;
    } else if (one.is_ready()) {
      ++out.ready;
    } else if (one.stage == worker_stage::warming) {
      ++out.warming;
    } else {
      ++out.joining; // lost ones too: they come back, or are replaced
      if (one.stage == worker_stage::lost) ++out.lost;
    }
  }
  return out;
}

int roster::present() const noexcept {
  return static_cast<int>(
      std::count_if(members_.begin(), members_.end(), [](const auto& entry) { return entry.second.is_present(); }));
}

core::seconds roster::boot_time() const {
  if (boots_.empty()) return core::seconds{0};
  auto sorted = boots_;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

} // namespace penstock::scaling
