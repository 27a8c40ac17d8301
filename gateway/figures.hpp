#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "core/time.hpp"
#include "metrics/families.hpp"

namespace penstock::gateway {

/// Why the door turned somebody away: the label `reason` of `penstock_http_refused_total`.
enum class barred : std::uint8_t {
  malformed,    ///< not HTTP, or a target that no route can have
  header_bytes, ///< request line and headers too long
  header_time,  ///< they did not come in time
  body_bytes,
  body_time,
  write_time, ///< took nothing of the answer
  origin,     ///< a page of another site
  token,
  scope,
  rate_address,
  rate_token,
  media_type,
  picture,     ///< too many pixels, or no size in its header
  connections, ///< too many of them
  made_room,   ///< a connection without a request, closed for a new one
  buffered_bytes,
  overload, ///< the predicted wait is too long
  deadline, ///< let in, but not answered in time
  readers,  ///< too many readers of events or viewers
};

inline constexpr std::size_t barred_count = 19;

[[nodiscard]] std::string_view to_string(barred why) noexcept;

/// The door's metrics. Thread-safe.
class figures {
 public:
  explicit figures(metrics::registry& registry);

  void refused(barred why) const { refused_[static_cast<std::size_t>(why)].add(); }
  /// `took`: zero for replies that are streams.
  void answered(const std::string& route, const std::string& method, int status, core::seconds took);

  metrics::http_series series; ///< each is thread-safe by itself

 private:
  metrics::registry& registry_;
  std::array<metrics::counter, barred_count> refused_;
  std::mutex mutex_; ///< guards both maps
  std::map<std::pair<std::string, int>, metrics::counter> requests_;
  std::map<std::string, metrics::histogram> durations_;
};

} // namespace penstock::gateway
