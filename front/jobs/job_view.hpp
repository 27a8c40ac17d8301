#pragma once

#include <string>
#include <string_view>

#include "gateway/api.hpp"
#include "jobs/record.hpp"

namespace penstock::front {

/// A job as the HTTP door shows it. What cannot be read of its checkpoint is left out.
[[nodiscard]] gateway::job_view view_of(const jobs::job& record);

/// How an input in the store of jobs is addressed: `blob:` and its name.
inline constexpr std::string_view blob_scheme = "blob:";

/// The content type of a picture, by its first bytes; empty for anything else.
[[nodiscard]] std::string_view picture_type(std::string_view first_bytes) noexcept;

} // namespace penstock::front
