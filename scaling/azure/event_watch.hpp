#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "jobs/azure/http.hpp"
#include "scaling/azure/scheduled_events.hpp"

namespace penstock::scaling::azure {

/// Name of the machine that asks, as events name it. Error: `unavailable` where there is no metadata service.
[[nodiscard]] core::expected<std::string> machine_name(jobs::azure::http_client& http, const std::string& endpoint);

struct event_watch_options {
  std::string endpoint = "http://169.254.169.254";
  std::string machine; ///< empty: the metadata service is asked
  std::chrono::milliseconds connect{2'000};
  std::chrono::milliseconds first{150'000}; ///< limit of the first request, for which Azure takes up to two minutes
  std::chrono::milliseconds later{10'000};  ///< of each after it
};

/// The clocks of a watch; the defaults are the machine's.
struct event_watch_clocks {
  std::function<core::time_point()> deadlines = [] { return core::clock::now(); };
  std::function<std::chrono::sys_seconds()> calendar = [] {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  };
};

/// Scheduled events by HTTP: asks once a second, approves once the drain is done. Where there is no metadata service it
/// says so once and asks less and less often, at last once a minute. Used by one thread, which `poll` blocks for as
/// long as a request may take.
class event_watch {
 public:
  explicit event_watch(event_watch_options options, event_watch_clocks clocks = {});

  /// What a poll saw: when to poll again, and a line for the log where something is new.
  struct outcome {
    std::chrono::milliseconds next{1'000};
    std::optional<core::error> trouble; ///< told once until its kind changes or it ends
  };
  outcome poll();

  [[nodiscard]] std::optional<drain_wish> wish() const;

  /// The drain is done: the next poll approves.
  void drained();

  [[nodiscard]] std::uint64_t freezes() const;

 private:
  core::expected<void> read();
  core::expected<void> approve();

  event_watch_options options_;
  event_watch_clocks clocks_;
  jobs::azure::http_client patient_;
  jobs::azure::http_client brisk_;
  bool has_answered_ = false;
  std::optional<scheduled_events> events_; ///< once the machine's name is known
  std::map<std::string, int> tries_;       ///< of approvals
  std::optional<core::errc> told_;
  std::chrono::milliseconds silence_{1'000}; ///< until the next try, while it never answered
};

} // namespace penstock::scaling::azure
