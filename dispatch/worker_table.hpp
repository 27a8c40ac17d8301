#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/ids.hpp"
#include "core/time.hpp"
#include "dispatch/dispatcher.hpp"
#include "dispatch/stream_table.hpp"

namespace penstock::dispatch {

/// Workers in the order of their relative backlog. O(log n) and without allocation while a worker stays in.
class worker_ranking {
 public:
  using rank = std::pair<std::uint64_t, std::uint32_t>; ///< backlog, then worker id
  using position = std::optional<std::set<rank>::iterator>;

  /// Puts the worker where `backlog` says, or out if there is none.
  void update(position& at, core::worker_id worker, std::optional<std::uint64_t> backlog);

  [[nodiscard]] bool empty() const noexcept { return ranks_.empty(); }
  [[nodiscard]] const std::set<rank>& ranks() const noexcept { return ranks_; }

 private:
  std::set<rank> ranks_;
};

struct worker_state {
  core::worker_id id;
  worker_capacity capacity;
  worker_load load;
  core::time_point last_seen{};
  bool draining = false;
  bool quiet = false;    ///< silent for half a lease timeout: gets nothing
  bool reserved = false; ///< for a suspect segment: gets no other lossless one, and no request
  std::vector<core::segment_id> leases;
  worker_ranking::position bulk_position;
  worker_ranking::position live_position;
  worker_ranking::position request_position;
};

/// All workers, and which of them is next for a segment. After a change to a worker's load or flags call `update`.
class worker_table {
 public:
  /// `most_requests`: that a worker has at a time.
  explicit worker_table(std::uint32_t most_requests) noexcept : most_requests_{most_requests} {}

  worker_state* find(core::worker_id id) noexcept { return workers_.find(id); }
  [[nodiscard]] const worker_state* find(core::worker_id id) const noexcept { return workers_.find(id); }

  void add(core::worker_id id, worker_capacity capacity, core::time_point now);
  void remove(core::worker_id id);
  void update(worker_state& worker);
  void drain(worker_state& worker);
  void heard(worker_state& worker, core::time_point now);

  /// The worker with credit and the least relative backlog; `favourite` if that has no more. Another than `avoid`,
  /// unless there is no other to wait for.
  [[nodiscard]] worker_state* next_for_bulk(core::worker_id favourite, core::worker_id avoid) noexcept;

  /// The worker with room for a live stream and the least of them relative to its capacity; another than `avoid`.
  [[nodiscard]] worker_state* next_for_live(core::worker_id avoid) noexcept;

  /// The worker with room for a request and the fewest segments, requests and lossless ones, relative to its capacity.
  /// Another than `avoid`, unless there is no other to wait for.
  [[nodiscard]] worker_state* next_for_request(core::worker_id avoid) noexcept;

  /// The worker that is likely to be empty first.
  [[nodiscard]] worker_state* next_to_reserve() noexcept;

  [[nodiscard]] bool has_bulk_room() const noexcept { return !bulk_.empty(); }
  [[nodiscard]] bool has_live_room() const noexcept { return !live_.empty(); }
  [[nodiscard]] bool has_request_room() const noexcept { return !requests_.empty(); }

  template <class F>
  void for_each(F&& f) {
    for (auto& [_, worker] : in_order_) f(*worker);
  }

 private:
  stream_table<worker_state, core::worker_id> workers_; ///< those that are in
  std::map<core::worker_id, worker_state*> in_order_;
  std::uint32_t most_requests_;
  std::uint32_t bulk_workers_ = 0;    ///< that take lossless segments at all
  std::uint32_t request_workers_ = 0; ///< that take anything
  worker_ranking bulk_;
  worker_ranking live_;
  worker_ranking requests_;
};

/// No worker has this id.
inline constexpr core::worker_id no_worker{UINT32_MAX};

} // namespace penstock::dispatch
