#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

/// JSON Schemas around others.
namespace penstock::topology::json_forms {

[[nodiscard]] nlohmann::ordered_json word(const std::vector<std::string>& known);
[[nodiscard]] nlohmann::ordered_json list(nlohmann::ordered_json item);
[[nodiscard]] nlohmann::ordered_json map(nlohmann::ordered_json item);
[[nodiscard]] nlohmann::ordered_json all_or(nlohmann::ordered_json list);
[[nodiscard]] nlohmann::ordered_json text_or(nlohmann::ordered_json other);
[[nodiscard]] nlohmann::ordered_json auto_or(nlohmann::ordered_json other);

} // namespace penstock::topology::json_forms
