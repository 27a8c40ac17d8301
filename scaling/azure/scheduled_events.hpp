#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/time.hpp"

namespace penstock::scaling::azure {

/// What Azure is about to do to a machine.
enum class event_kind : unsigned char { freeze, reboot, redeploy, preempt, terminate };

[[nodiscard]] std::string_view to_string(event_kind kind) noexcept;

/// What Azure promises at least between an event's appearance and its start. Preempt's is best effort.
[[nodiscard]] std::chrono::seconds least_notice(event_kind kind) noexcept;

/// One entry of the document of scheduled events.
struct scheduled_event {
  std::string id;
  event_kind kind = event_kind::freeze;
  bool started = false;
  std::vector<std::string> resources;                 ///< names of the machines that it hits
  std::optional<std::chrono::sys_seconds> not_before; ///< by Azure's clock; none once it has started
};

struct events_document {
  std::int64_t incarnation = 0; ///< changes when the events do
  std::vector<scheduled_event> events;
};

/// Reads the metadata service's answer. Kinds that are not known are left out. Error: `corrupt`.
[[nodiscard]] core::expected<events_document> parse_events(std::string_view text);

/// When a document was read, by three clocks.
struct reading_time {
  core::time_point asked;                         ///< when the request left, by the clock of deadlines
  std::chrono::sys_seconds ours;                  ///< then, by this machine's calendar
  std::optional<std::chrono::sys_seconds> theirs; ///< by the service's (`Date`), where it tells
};

/// That this machine is to hand back its work.
struct drain_wish {
  std::string event;
  event_kind kind = event_kind::terminate;
  core::time_point until; ///< the machine may be gone then

  bool operator==(const drain_wish&) const = default;
};

/// What the scheduled events mean for one machine: a state machine without clock or socket. Documents may be repeated.
/// Not thread-safe.
class scheduled_events {
 public:
  /// `machine` is its name as the metadata service tells it.
  explicit scheduled_events(std::string machine) : machine_{std::move(machine)} {}

  /// A document was read. The notice is counted by the service's clock; where it does not tell its time, by ours, but
  /// no more than Azure promises, for ours may be off.
  void read(const events_document& document, const reading_time& when);

  /// The drain that is wanted now: of all events that hit this machine, the first to start. None when they are over or
  /// withdrawn. `freeze` wants none.
  [[nodiscard]] std::optional<drain_wish> wish() const;

  /// The worker has handed back everything.
  void drained() { drained_ = true; }

  /// Events to approve, so that Azure does not wait out their notice: once the drain is done, those that have not
  /// started and hit no other machine. (An approval holds for all machines of an event.)
  [[nodiscard]] std::vector<std::string> to_approve() const;

  /// An approval was taken (or is not to be tried again).
  void approved(const std::string& event);

  /// Pauses that were announced to this machine.
  [[nodiscard]] std::uint64_t freezes() const noexcept { return freezes_; }

 private:
  struct known {
    scheduled_event event;
    core::time_point until;
    bool approved = false;
  };

  std::string machine_;
  std::map<std::string, known> known_;
  bool drained_ = false;
  std::uint64_t freezes_ = 0;
};

} // namespace penstock::scaling::azure
