#include "core/system_failure.hpp"

#include <cerrno>
#include <system_error>

namespace penstock::core {

tl::unexpected<error> system_failure(const std::string& what, int number) {
  return fail(number == ENOENT ? errc::not_found : errc::io, what + ": " + std::generic_category().message(number));
}

} // namespace penstock::core
