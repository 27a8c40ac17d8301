#include "dispatch/worker_table.hpp"

#include <algorithm>

namespace penstock::dispatch {

namespace {

/// Used parts of a capacity in fixed point, so that equal shares compare equal.
std::uint64_t share(std::uint32_t used, std::uint32_t capacity) noexcept {
  return (std::uint64_t{used} << 24U) / std::max<std::uint32_t>(capacity, 1);
}

bool takes_requests(const worker_state& w) noexcept { return w.capacity.bulk > 0 || w.capacity.live > 0; }

/// How much a worker has to do beside live streams, relative to what it can.
std::uint64_t backlog(const worker_state& w) noexcept {
  return share(w.load.bulk + w.load.requests, w.capacity.bulk > 0 ? w.capacity.bulk : w.capacity.live);
}

} // namespace

void worker_ranking::update(position& at, core::worker_id worker, std::optional<std::uint64_t> backlog) {
  if (!backlog) {
    if (at) ranks_.erase(*at);
    at.reset();
    return;
  }
  const rank wanted{*backlog, worker.value};
  if (!at) {
    at = ranks_.insert(wanted).first;
  } else if (**at != wanted) {
    auto node = ranks_.extract(*at);
    node.value() = wanted;
    at = ranks_.insert(std::move(node)).position;
  }
}

void worker_table::add(core::worker_id id, worker_capacity capacity, core::time_point now) {
  auto& worker = workers_.add(id, {});
  in_order_.emplace(id, &worker);
  worker.id = id;
  worker.capacity = capacity;
  worker.last_seen = now;
  if (capacity.bulk > 0) ++bulk_workers_;
  if (takes_requests(worker)) ++request_workers_;
  update(worker);
}

void worker_table::remove(core::worker_id id) {
  auto& worker = *workers_.find(id);
  if (worker.capacity.bulk > 0 && !worker.draining) --bulk_workers_;
  if (takes_requests(worker) && !worker.draining) --request_workers_;
  bulk_.update(worker.bulk_position, id, std::nullopt);
  live_.update(worker.live_position, id, std::nullopt);
  requests_.update(worker.request_position, id, std::nullopt);
  in_order_.erase(id);
  workers_.erase(id);
}

void worker_table::update(worker_state& w) {
  std::optional<std::uint64_t> bulk;
  std::optional<std::uint64_t> live;
  std::optional<std::uint64_t> requests;
  if (!w.draining && !w.quiet) {
    if (w.load.credit > 0 && !w.reserved) bulk = share(w.load.bulk, w.capacity.bulk);
    if (w.load.live < w.capacity.live) live = share(w.load.live, w.capacity.live);
    if (w.load.requests < most_requests_ && takes_requests(w) && !w.reserved) requests = backlog(w);
  }
  bulk_.update(w.bulk_position, w.id, bulk);
  live_.update(w.live_position, w.id, live);
  requests_.update(w.request_position, w.id, requests);
}

void worker_table::drain(worker_state& w) {
  if (w.draining) return;
  w.draining = true;
  if (w.capacity.bulk > 0) --bulk_workers_;
  if (takes_requests(w)) --request_workers_;
  update(w);
}

void worker_table::heard(worker_state& w, core::time_point now) {
  w.last_seen = now;
  if (!w.quiet) return;
  w.quiet = false;
  update(w);
}

worker_state* worker_table::next_for_bulk(core::worker_id favourite, core::worker_id avoid) noexcept {
  const auto& ranks = bulk_.ranks();
  auto best = ranks.begin();
  if (best != ranks.end() && best->second == avoid.value && bulk_workers_ > 1) ++best;
  if (best == ranks.end()) return nullptr;
  if (auto* f = find(favourite);
      f && f->bulk_position && favourite != avoid && (*f->bulk_position)->first == best->first)
    return f;
  return find({best->second});
}

worker_state* worker_table::next_for_live(core::worker_id avoid) noexcept {
  const auto& ranks = live_.ranks();
  auto best = ranks.begin();
  if (best != ranks.end() && best->second == avoid.value) ++best;
  return best == ranks.end() ? nullptr : find({best->second});
}

worker_state* worker_table::next_for_request(core::worker_id avoid) noexcept {
  const auto& ranks = requests_.ranks();
  auto best = ranks.begin();
  if (best != ranks.end() && best->second == avoid.value && request_workers_ > 1) ++best;
  return best == ranks.end() ? nullptr : find({best->second});
}

worker_state* worker_table::next_to_reserve() noexcept {
  worker_state* best = nullptr;
  for_each([&](worker_state& w) {
    if (w.draining || w.quiet || w.capacity.bulk == 0) return;
    if (!best || backlog(w) < backlog(*best)) best = &w;
  });
  return best;
}

} // namespace penstock::dispatch
