#include "core/error.hpp"

namespace penstock::core {

std::string_view to_string(errc code) noexcept {
  switch (code) {
  case errc::invalid_argument: return "invalid_argument";
  case errc::bad_config: return "bad_config";
  case errc::not_found: return "not_found";
  case errc::io: return "io";
  case errc::unsupported: return "unsupported";
  case errc::corrupt: return "corrupt";
  case errc::too_large: return "too_large";
  case errc::timeout: return "timeout";
  case errc::cancelled: return "cancelled";
  case errc::unavailable: return "unavailable";
  case errc::end_of_stream: return "end_of_stream";
  case errc::engine: return "engine";
  case errc::internal: return "internal";
  }
  return "unknown";
}

} // namespace penstock::core
