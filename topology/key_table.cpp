#include "topology/key_table.hpp"

#include <algorithm>

#include "topology/spelling.hpp"

namespace penstock::topology {

void report_not_allowed(const any_shape& s, const node& n, const std::string& path, read_context& context) {
  const auto what = s.is_secret() && n.type == node::kind::scalar ? "text, not shown here" : found(n);
  context.problems.error(n.at, path,
                         "found " + what + "; allowed: " + s.allowed(context.words) + s.hint(n, context.words));
}

void report_missing(const any_shape& s, const place& parent, const std::string& path, read_context& context) {
  context.problems.error(parent, path, "is missing; allowed: " + s.allowed(context.words));
}

void report_twice(const entry& first, const entry& again, const std::string& path, read_context& context) {
  context.problems.error(again.at, path,
                         "the key '" + again.key + "' stands twice, first in line " + std::to_string(first.at.line));
}

key_label label_of(std::string_view key, std::string_view doc, bool required) {
  return {std::string{key}, std::string{doc}, required};
}

bool key_table::read(const node& n, const std::string& path, void* object, read_context& context) const {
  if (n.type != node::kind::map && n.type != node::kind::null) return false;
  for (const auto& e : n.entries) read_entry(n, e, path, object, context);
  for (const auto& f : fields_) {
    if (n.find(f->label.key) == nullptr) f->absent(join(path, f->label.key), n.at, object, context);
  }
  return true;
}

void key_table::read_entry(const node& map, const entry& e, const std::string& path, void* object,
                           read_context& context) const {
  const auto where = join(path, e.key);
  const auto it = std::ranges::find_if(fields_, [&](const auto& f) { return f->label.key == e.key; });
  if (it == fields_.end()) {
    context.problems.error(e.at, where,
                           "unknown key '" + e.key + "'; allowed: " + enumerate(keys()) + advice_on(e.key));
  } else if (const auto* first = map.find(e.key); first != &e) {
    report_twice(*first, e, where, context);
  } else {
    (*it)->read(e.value, where, object, context);
    if (e.value.type != node::kind::scalar && e.value.at.override_number == e.at.override_number &&
        e.value.at.line != e.at.line) {
      context.problems.places.record(where, e.at); // a block: its key is the place to look at
    }
  }
}

void key_table::absent(const std::string& path, const place& parent, void* object, read_context& context) const {
  for (const auto& f : fields_) f->absent(join(path, f->label.key), parent, object, context);
}

bool key_table::demands() const {
  return std::ranges::any_of(fields_, [](const auto& f) { return f->demands(); });
}

node key_table::write(const void* object, path_style style) const {
  node n;
  n.type = node::kind::map;
  for (const auto& f : fields_) {
    if (auto value = f->write(object, style); value.type != node::kind::null) {
      n.entries.push_back({f->label.key, {}, std::move(value)});
    }
  }
  return n;
}

std::vector<std::string> key_table::keys() const {
  std::vector<std::string> result;
  for (const auto& f : fields_) result.push_back(f->label.key);
  return result;
}

std::string key_table::allowed() const { return "a map with " + enumerate(keys()); }

nlohmann::ordered_json key_table::json_schema(const vocabulary& words, const node& defaults) const {
  auto properties = nlohmann::ordered_json::object();
  auto needed = nlohmann::ordered_json::array();
  for (const auto& f : fields_) {
    auto& property = properties[f->label.key] = nlohmann::ordered_json{{"description", f->label.doc}};
    property.update(f->form().json_schema(words));
    const auto* preset = defaults.find(f->label.key);
    if (!f->label.required && preset != nullptr && preset->value.type == node::kind::scalar) {
      const auto literal = nlohmann::ordered_json::parse(preset->value.text, nullptr, false);
      property["default"] =
          literal.is_number() || literal.is_boolean() ? literal : nlohmann::ordered_json(preset->value.text);
    }
    if (f->demands()) needed.push_back(f->label.key);
  }
  nlohmann::ordered_json j{{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
  if (!needed.empty()) j["required"] = needed;
  return j;
}

void key_table::sections(const std::string& path, const std::string& doc, const vocabulary& words, const node& defaults,
                         std::vector<manual_section>& out) const {
  manual_section s{path, doc, {}};
  for (const auto& f : fields_) {
    const auto* preset = defaults.find(f->label.key);
    auto text = f->label.required ? "required" : preset == nullptr ? "absent" : print_inline(preset->value);
    s.rows.push_back(
        {f->label.key, f->form().is_section() ? "" : f->form().allowed(words), std::move(text), f->label.doc});
  }
  out.push_back(std::move(s));
  for (const auto& f : fields_) f->form().sections(join(path, f->label.key), f->label.doc, words, out);
}

std::string key_table::advice_on(const std::string& key) const {
  const auto it = std::ranges::find_if(advice_, [&](const auto& a) { return a.first == key; });
  return it == advice_.end() ? did_you_mean(key, keys()) : "; " + it->second;
}

} // namespace penstock::topology
