#include <cctype>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "topology/document.hpp"

namespace penstock::topology {
namespace {

using lookup = std::function<std::optional<std::string>(std::string_view)>;

bool is_name(std::string_view s) {
  if (s.empty() || std::isdigit(static_cast<unsigned char>(s.front())) != 0) return false;
  for (auto c : s) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return false;
  }
  return true;
}

void resolve_text(node& n, const std::string& path, const lookup& environment, problem_list& list) {
  constexpr std::string_view opening = "${";
  if (n.text.find(opening) == std::string::npos) return;
  const auto fail = [&](std::string message) {
    list.error(n.at, path, std::move(message));
    n.broken = true;
  };
  std::string out;
  std::string_view rest = n.text;
  for (;;) {
    const auto start = rest.find(opening);
    if (start == std::string_view::npos) break;
    if (start > 0 && rest[start - 1] == '$') { // $${ is a literal ${
      out.append(rest.substr(0, start - 1)).append(opening);
      rest.remove_prefix(start + opening.size());
      continue;
    }
    const auto end = rest.find('}', start);
    if (end == std::string_view::npos)
      return fail(fmt::format("{} has a reference without its closing brace", found(n)));
    out.append(rest.substr(0, start));
    const auto reference = rest.substr(start + opening.size(), end - start - opening.size());
    const auto split = reference.find(":-");
    const auto name = reference.substr(0, split);
    if (!is_name(name))
      return fail(fmt::format("'${{{}}}' is not a reference; write ${{NAME}} or ${{NAME:-default}}", reference));
    const auto value = environment(name);
    const auto has_default = split != std::string_view::npos;
    if (value && !(value->empty() && has_default)) {
      out.append(*value);
    } else if (has_default) {
      out.append(reference.substr(split + 2));
    } else {
      return fail(fmt::format("environment variable {} is not set; ${{{}:-default}} would give a default", name, name));
    }
    rest.remove_prefix(end + 1);
  }
  n.text = out.append(rest);
}

void resolve(node& n, const std::string& path, const lookup& environment, problem_list& list) {
  if (n.type == node::kind::scalar) resolve_text(n, path, environment, list);
  for (std::size_t i = 0; i < n.items.size(); ++i) {
    resolve(n.items[i], join(path, std::to_string(i)), environment, list);
  }
  for (auto& e : n.entries) resolve(e.value, join(path, e.key), environment, list);
}

} // namespace

void resolve_references(node& root, const lookup& environment, problem_list& list) {
  resolve(root, "", environment, list);
}

} // namespace penstock::topology
