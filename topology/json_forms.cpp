#include "topology/json_forms.hpp"

#include <utility>

namespace penstock::topology::json_forms {

using nlohmann::ordered_json;

namespace {

ordered_json either(ordered_json a, ordered_json b) {
  return {{"anyOf", ordered_json::array({std::move(a), std::move(b)})}};
}

} // namespace

ordered_json word(const std::vector<std::string>& known) { return {{"enum", known}}; }

ordered_json list(ordered_json item) { return {{"type", {"array", "null"}}, {"items", std::move(item)}}; }

ordered_json map(ordered_json item) {
  return {{"type", {"object", "null"}}, {"additionalProperties", std::move(item)}};
}

ordered_json all_or(ordered_json list) { return either({{"const", {"all"}}}, std::move(list)); }

ordered_json text_or(ordered_json other) { return either({{"type", "string"}}, std::move(other)); }

ordered_json auto_or(ordered_json other) { return either({{"const", "auto"}}, std::move(other)); }

} // namespace penstock::topology::json_forms
