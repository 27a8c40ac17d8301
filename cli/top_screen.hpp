#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "core/error.hpp"

namespace penstock::cli {

/// How many jobs are in each state.
struct job_counts {
  std::map<std::string, std::size_t> of; ///< by state
  std::map<std::string, bool> more;      ///< states of which there are more than were counted
  std::string refused;                   ///< why there are no counts; else empty
};

/// What a door says of itself, as a screen for people. `state` is the document of GET /v1/state. With a `size`, no line
/// is wider and there are no more lines; the least important columns and rows give way. Error: corrupt.
[[nodiscard]] core::expected<std::vector<table_line>> top_screen(const nlohmann::json& state, const job_counts& jobs,
                                                                 const std::string& note,
                                                                 std::optional<screen_size> size);

} // namespace penstock::cli
