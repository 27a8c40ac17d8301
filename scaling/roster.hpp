#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scaling/fleet.hpp"
#include "scaling/signals.hpp"

namespace penstock::scaling {

/// Where a worker is in its life, as the head tells. `gone`: it said bye.
enum class worker_stage : std::uint8_t { joining, warming, ready, draining, lost, gone };

/// What the head tells of a worker.
struct worker_view {
  std::string name; ///< under which it said hello
  worker_stage stage = worker_stage::joining;
  int leases = 0; ///< segments that it holds
};

/// An instance of the fleet and the worker on it.
struct member {
  std::string id;
  std::string worker;
  instance_state state = instance_state::provisioning;
  bool is_protected = false;
  std::optional<worker_stage> stage; ///< of its worker; nothing while the head does not know it
  int leases = 0;

  bool is_new = false;    ///< it appeared while we looked, so its boot can be measured
  bool was_ready = false; ///< ever
  core::time_point first_seen{};
  core::time_point ready_at{};                    ///< when it was ready last; before that when it was first seen
  std::optional<core::time_point> draining_since; ///< when it was asked to, or was seen to
  bool saw_draining = false;                      ///< its worker did, so that its absence means that it is done
  std::optional<core::time_point> retired_at;

  /// It is there and stays: not on its way out, neither by us nor by the fleet's owner.
  [[nodiscard]] bool is_present() const noexcept;
  /// It works or soon will.
  [[nodiscard]] bool is_capacity() const noexcept { return is_present() && !draining_since; }
  [[nodiscard]] bool is_ready() const noexcept { return is_capacity() && stage == worker_stage::ready; }
  /// It drains and holds nothing any more, or is not there to hold it.
  [[nodiscard]] bool has_drained() const noexcept;
};

/// Who is in the fleet: joins what its owner tells of instances with what the head tells of workers, and remembers
/// since when. Times are given in and must not go back.
class roster {
 public:
  void look(core::time_point now, const fleet_state& fleet, const std::vector<worker_view>& workers);

  /// In the order of their ids.
  [[nodiscard]] std::map<std::string, member, std::less<>>& members() noexcept { return members_; }
  [[nodiscard]] const std::map<std::string, member, std::less<>>& members() const noexcept { return members_; }

  [[nodiscard]] worker_counts counts() const noexcept;
  /// Instances that are there, those that drain included.
  [[nodiscard]] int present() const noexcept;

  /// Instances that went away since the call before without having been retired.
  [[nodiscard]] int vanished() const noexcept { return vanished_; }
  /// Instances that their owner has called failed since the call before.
  [[nodiscard]] int failed() const noexcept { return failed_; }

  /// From the first sight of an instance to its ready worker: the median of the last nine; 0 without any.
  [[nodiscard]] core::seconds boot_time() const;

 private:
  void see_worker(core::time_point now, member& one, const worker_view* worker);

  std::map<std::string, member, std::less<>> members_;
  std::vector<core::seconds> boots_;
  bool looked_ = false;
  int vanished_ = 0;
  int failed_ = 0;
};

} // namespace penstock::scaling
