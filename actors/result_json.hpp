#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace penstock::actors {

/// The label of a class, or its number where there is none.
[[nodiscard]] std::string label_of(std::span<const std::string> labels, std::int32_t class_index);

/// Appends a result as one line of JSON, newline included:
/// `{"stream","seq","pts_ms","width","height","objects":[{"label","class","score","box":[x,y,w,h],"track"}]}`, and
/// `"file"` for pictures. Boxes in source pixels; `track` is null where there is none. The same result always gives
/// the same bytes.
void append_json(std::string& out, std::string_view stream, std::span<const std::string> labels,
                 const core::frame_result& result);

} // namespace penstock::actors
