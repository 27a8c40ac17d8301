#pragma once

#include <filesystem>
#include <istream>
#include <string>

#include "core/error.hpp"
#include "scaling/simulator/load.hpp"

namespace penstock::scaling::simulator {

/// Reads arrivals per second: CSV with the title `second,arrivals` and one line for each second, in order; seconds that
/// are left out had none. Errors: `corrupt`, as `NAME:LINE: what is wrong`.
[[nodiscard]] core::expected<load> read_trace(std::istream& in, const std::string& name);

/// The same of a file. Errors besides: `not_found`, `io`.
[[nodiscard]] core::expected<load> read_trace(const std::filesystem::path& file);

} // namespace penstock::scaling::simulator
