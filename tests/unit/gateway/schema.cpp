#include "tests/unit/gateway/schema.hpp"

#include <algorithm>

namespace penstock::test {

using nlohmann::json;

namespace {

bool is_of_type(const json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "array") return value.is_array();
  return type == "object" && value.is_object();
}

} // namespace

std::string fault_of(const json& value, const json& schema, const json& document, const std::string& at) {
  if (schema.contains("$ref")) {
    return fault_of(value, document.at(json::json_pointer{schema["$ref"].get<std::string>().substr(1)}), document, at);
  }
  for (const auto& [key, what] : schema.items()) {
    if (key == "description" || key == "format" || key == "properties") continue;
    if (key == "type") {
      const auto types = what.is_array() ? what.get<std::vector<std::string>>() : std::vector{what.get<std::string>()};
      if (std::ranges::none_of(types, [&](const auto& t) { return is_of_type(value, t); }))
        return at + " is no " + what.dump();
    } else if (key == "enum") {
      if (std::ranges::find(what, value) == what.end()) return at + " is none of " + what.dump();
    } else if (key == "minimum") {
      if (value.is_number() && value < what) return at + " is too small";
    } else if (key == "minItems" || key == "maxItems") {
      if (key == "minItems" ? value.size() < what : value.size() > what)
        return at + " has " + std::to_string(value.size()) + " items";
    } else if (key == "items") {
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (auto f = fault_of(value[i], what, document, at + "[" + std::to_string(i) + "]"); !f.empty()) return f;
      }
    } else if (key == "required") {
      for (const auto& name : what) {
        if (!value.contains(name.get<std::string>())) return at + " lacks " + name.dump();
      }
    } else if (key == "additionalProperties") {
      // Below, with the properties.
    } else {
      return "the schema of " + at + " has the unknown keyword " + key;
    }
  }
  if (!value.is_object()) return "";
  for (const auto& [name, member] : value.items()) {
    const auto inside = at + "." + name;
    json of = json::object();
    if (schema.contains("properties") && schema["properties"].contains(name))
      of = schema["properties"][name];
    else if (schema.contains("additionalProperties"))
      of = schema["additionalProperties"];
    if (of == false) return inside + " is not in the schema";
    if (auto f = fault_of(member, of, document, inside); !f.empty()) return f;
  }
  return "";
}

std::set<std::string> references_in(const json& value) {
  std::set<std::string> all;
  if (value.is_object() && value.contains("$ref")) all.insert(value["$ref"].get<std::string>());
  if (value.is_structured()) {
    for (const auto& member : value) all.merge(references_in(member));
  }
  return all;
}

std::set<std::string> names_in_braces(const std::string& pattern) {
  std::set<std::string> names;
  for (auto at = pattern.find('{'); at != std::string::npos; at = pattern.find('{', at + 1)) {
    names.insert(pattern.substr(at + 1, pattern.find('}', at) - at - 1));
  }
  return names;
}

} // namespace penstock::test
