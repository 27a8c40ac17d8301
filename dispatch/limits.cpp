#include "dispatch/limits.hpp"

#include <string>
#include <type_traits>

namespace penstock::dispatch {

namespace {

template <class T>
core::expected<void> at_least(const char* name, T value, std::type_identity_t<T> least) {
  if (value >= least) return {};
  return core::fail(core::errc::bad_config,
                    std::string{name} + ": " + std::to_string(value) + " is below " + std::to_string(least));
}

} // namespace

core::expected<void> stream_limits::validate() const {
  return at_least("queue", queue, 1)
      .and_then([&] { return at_least("max_lag (ms)", max_lag.count(), 1); })
      .and_then([&] { return at_least("steal_after (ms)", steal_after.count(), 1); })
      .and_then([&] { return at_least("read_ahead", read_ahead, min_read_ahead); })
      .and_then([&] { return at_least("read_ahead_bytes", read_ahead_bytes, 1); })
      .and_then([&]() -> core::expected<void> {
        if (!deadline || policy == stream_policy::request) return {};
        return core::fail(core::errc::bad_config, "deadline: only requests have one");
      });
}

core::expected<void> dispatcher_config::validate() const {
  return at_least("lease_timeout (ms)", lease_timeout.count(), 1)
      .and_then([&] { return at_least("stall_timeout (ms)", stall_timeout.count(), 1); })
      .and_then([&] { return at_least("attempts", attempts, 1); })
      .and_then([&] { return at_least("segment_retain_bytes", segment_retain_bytes, 1); })
      .and_then([&] { return at_least("requests_per_worker", requests_per_worker, 1); });
}

} // namespace penstock::dispatch
