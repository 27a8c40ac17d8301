#include "topology/document.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace penstock::topology {

const entry* node::find(std::string_view key) const {
  const auto it = std::find_if(entries.begin(), entries.end(), [&](const entry& e) { return e.key == key; });
  return it == entries.end() ? nullptr : &*it;
}

entry* node::find(std::string_view key) { return const_cast<entry*>(std::as_const(*this).find(key)); }

node scalar(std::string text, bool quoted) {
  node n;
  n.type = node::kind::scalar;
  n.text = std::move(text);
  n.quoted = quoted;
  return n;
}

std::string found(const node& n) {
  constexpr std::size_t longest = 60;
  switch (n.type) {
  case node::kind::null: return "nothing";
  case node::kind::list: return "a list";
  case node::kind::map: return "a map";
  case node::kind::scalar: break;
  }
  if (n.text.size() <= longest) return fmt::format("'{}'", n.text);
  return fmt::format("'{}…'", n.text.substr(0, longest));
}

std::string join(std::string_view path, std::string_view key) {
  return path.empty() ? std::string{key} : fmt::format("{}.{}", path, key);
}

void problem_list::add(const place& at, std::string path, std::string message, severity s) {
  items_.push_back({at, places.at(at, std::move(path), std::move(message), s)});
}

bool problem_list::has_errors() const {
  return std::any_of(items_.begin(), items_.end(), [](const item& i) { return i.what.severity == severity::error; });
}

std::vector<std::string> problem_list::error_paths() const {
  std::vector<std::string> result;
  for (const auto& i : items_) {
    if (i.what.severity == severity::error) result.push_back(i.what.path);
  }
  return result;
}

problems problem_list::take() && {
  std::stable_sort(items_.begin(), items_.end(), [](const item& a, const item& b) {
    return std::tie(a.at.override_number, a.at.line, a.at.column) <
           std::tie(b.at.override_number, b.at.line, b.at.column);
  });
  problems result;
  result.reserve(items_.size());
  for (auto& i : items_) result.push_back(std::move(i.what));
  return result;
}

} // namespace penstock::topology
