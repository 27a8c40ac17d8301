#include "gateway/figures.hpp"

namespace penstock::gateway {

std::string_view to_string(barred why) noexcept {
  switch (why) {
  case barred::malformed: return "malformed";
  case barred::header_bytes: return "header_bytes";
  case barred::header_time: return "header_time";
  case barred::body_bytes: return "body_bytes";
  case barred::body_time: return "body_time";
  case barred::write_time: return "write_time";
  case barred::origin: return "origin";
  case barred::token: return "token";
  case barred::scope: return "scope";
  case barred::rate_address: return "rate_address";
  case barred::rate_token: return "rate_token";
  case barred::media_type: return "media_type";
  case barred::picture: return "picture";
  case barred::connections: return "connections";
  case barred::made_room: return "made_room";
  case barred::buffered_bytes: return "buffered_bytes";
  case barred::overload: return "overload";
  case barred::deadline: return "deadline";
  case barred::readers: return "readers";
  }
  return "unknown";
}

figures::figures(metrics::registry& registry) : series{registry.http()}, registry_{registry} {
  for (std::size_t i = 0; i < barred_count; ++i) {
    refused_[i] = registry.http_refused(std::string{to_string(static_cast<barred>(i))});
  }
}

void figures::answered(const std::string& route, const std::string& method, int status, core::seconds took) {
  const std::lock_guard lock{mutex_};
  const auto key = method + " " + route;
  auto counted = requests_.find({key, status});
  if (counted == requests_.end()) {
    counted = requests_.emplace(std::pair{key, status}, registry_.http_requests(route, method, status)).first;
  }
  counted->second.add();
  if (took <= core::seconds{0}) return;
  auto timed = durations_.find(key);
  if (timed == durations_.end()) timed = durations_.emplace(key, registry_.http_duration(route, method)).first;
  timed->second.observe(took.count());
}

} // namespace penstock::gateway
