#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

/// As much of JSON Schema as the gateway's document uses; a keyword that is not known here is a fault.
namespace penstock::test {

std::string fault_of(const nlohmann::json& value, const nlohmann::json& schema, const nlohmann::json& document,
                     const std::string& at = "$");

/// Every `$ref`.
std::set<std::string> references_in(const nlohmann::json& value);

/// "id" of "/v1/jobs/{id}".
std::set<std::string> names_in_braces(const std::string& pattern);

} // namespace penstock::test
