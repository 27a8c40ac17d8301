#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::jobs::azure {

/// What stands between `<name>` or `<name …>` and `</name>`, for each such element, in order. Enough for the answers of
/// storage services, in which no element holds another of its name. What is not closed is passed over.
[[nodiscard]] std::vector<std::string_view> elements(std::string_view xml, std::string_view name);

/// Text of the first such element, with its entities replaced.
[[nodiscard]] std::optional<std::string> text_of(std::string_view xml, std::string_view name);

[[nodiscard]] std::string xml_escaped(std::string_view text);

} // namespace penstock::jobs::azure
