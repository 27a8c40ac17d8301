#include "scaling/decision.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

namespace penstock::scaling {

namespace {

using json = nlohmann::ordered_json;

json to_object(const signals& seen) {
  const auto waits = seen.backlog().count();
  return {{"arrivals_per_s", seen.arrivals_per_s},
          {"served_per_s", seen.served_per_s},
          {"service_per_s", seen.service_per_s},
          {"utilisation", seen.utilisation},
          {"backlog_items", seen.backlog_items},
          {"backlog_s", std::isfinite(waits) ? json(waits) : json(nullptr)}, // nobody is there to work on it
          {"oldest_s", seen.oldest.count()},
          {"late_share", seen.late_share},
          {"live_streams", seen.live_streams},
          {"streams_per_worker", seen.streams_per_worker},
          {"boot_s", seen.boot.count()},
          {"workers",
           {{"joining", seen.workers.joining},
            {"warming", seen.workers.warming},
            {"ready", seen.workers.ready},
            {"draining", seen.workers.draining},
            {"lost", seen.workers.lost}}}};
}

} // namespace

std::string_view to_string(scaling_action action) noexcept {
  switch (action) {
  case scaling_action::out: return "out";
  case scaling_action::in: return "in";
  case scaling_action::hold: return "hold";
  case scaling_action::frozen: return "frozen";
  }
  return "unknown";
}

std::string to_json(const decision& made, std::string_view role, std::string_view time) {
  json out{{"event", "scaling"},
           {"time", time},
           {"role", role},
           {"action", to_string(made.action)},
           {"want", made.want},
           {"have", made.have},
           {"booting", made.booting},
           {"draining", made.draining},
           {"missing", made.missing},
           {"policy", made.policy},
           {"why", made.why},
           {"drain", made.drain},
           {"retire", made.retire}};
  out["target"] = made.target ? json(*made.target) : json(nullptr);
  out["signals"] = made.seen ? to_object(*made.seen) : json(nullptr);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace penstock::scaling
