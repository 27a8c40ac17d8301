#include "core/result.hpp"

namespace penstock::core {

std::string_view to_string(drop_reason reason) noexcept {
  switch (reason) {
  case drop_reason::sampled: return "sampled";
  case drop_reason::corrupt: return "corrupt";
  case drop_reason::no_keyframe: return "no_keyframe";
  case drop_reason::too_large: return "too_large";
  case drop_reason::unsupported: return "unsupported";
  case drop_reason::shed: return "shed";
  case drop_reason::slow_sink: return "slow_sink";
  case drop_reason::sink_error: return "sink_error";
  case drop_reason::engine_error: return "engine_error";
  case drop_reason::poison: return "poison";
  case drop_reason::shutdown: return "shutdown";
  case drop_reason::deadline: return "deadline";
  case drop_reason::cancelled: return "cancelled";
  }
  return "unknown";
}

} // namespace penstock::core
