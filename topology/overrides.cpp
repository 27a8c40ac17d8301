#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "topology/document.hpp"

namespace penstock::topology {
namespace {

std::optional<std::size_t> as_index(std::string_view s) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return value;
}

/// Lists, maps and quoted text are YAML; anything else is text as it stands, so that `{stream}.jsonl` and `*.mp4` need
/// no quotes.
bool is_yaml(std::string_view s) {
  if (s.size() < 2) return false;
  const auto within = [&](char open, char close) { return s.front() == open && s.back() == close; };
  return within('[', ']') || within('{', '}') || within('"', '"') || within('\'', '\'');
}

node value_of(std::string_view text, const place& at, problem_list& list) {
  if (is_yaml(text)) return parse_document(text, at, list);
  auto n = scalar(std::string{text});
  n.at = at;
  return n;
}

} // namespace

void apply_override(node& root, std::string_view text, int number, problem_list& list) {
  const auto equals = text.find('=');
  const auto at = [&](std::size_t offset) { return place{number, 1, static_cast<int>(offset) + 1}; };
  if (equals == std::string_view::npos || equals == 0) {
    list.error(at(0), "", fmt::format("found '{}'; allowed: PATH=VALUE", text));
    return;
  }
  auto value = value_of(text.substr(equals + 1), at(equals + 1), list);
  auto* target = &root;
  std::string path;
  for (std::size_t offset = 0; offset < equals;) {
    const auto end = std::min(text.find('.', offset), equals);
    const auto key = text.substr(offset, end - offset);
    const auto index = as_index(key);
    if (target->type == node::kind::list || (target->type == node::kind::null && index)) {
      if (!index || *index > target->items.size()) {
        list.error(at(offset), join(path, key),
                   fmt::format("found '{}'; allowed: the index of an item, 0 to {}, where the last adds one", key,
                               target->items.size()));
        return;
      }
      target->type = node::kind::list;
      if (*index == target->items.size()) target->items.emplace_back().at = at(offset);
      target = &target->items[*index];
    } else {
      if (target->type != node::kind::map) *target = node{};
      target->type = node::kind::map;
      if (target->entries.empty()) target->at = at(offset);
      auto* known = target->find(key);
      if (known == nullptr) known = &target->entries.emplace_back(entry{std::string{key}, at(offset), {}});
      if (known->value.type == node::kind::null) known->value.at = at(offset);
      target = &known->value;
    }
    path = join(path, key);
    offset = end + 1;
  }
  *target = std::move(value);
}

} // namespace penstock::topology
