#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace penstock::gateway::http {

struct part {
  std::string name;
  std::string file_name; ///< as the client says it: not a path to use
  std::string content_type;
  std::string_view body; ///< in the parsed body
};

/// Takes a multipart/form-data body (RFC 7578) apart. Errors: corrupt (boundary, headers or end are not as they must
/// be), too_large (more than `most_parts`, or a part's headers beyond 8 KiB).
[[nodiscard]] core::expected<std::vector<part>> parse_multipart(std::string_view body, std::string_view boundary,
                                                                std::size_t most_parts = 16);

} // namespace penstock::gateway::http
