#include "gateway/http/route.hpp"

#include "gateway/http/text.hpp"

namespace penstock::gateway::http {

namespace {

/// "/a/b" → {"a", "b"}, "/" → {""}: empty segments count, so that "//" is another path than "/".
std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  path.remove_prefix(1);
  for (;;) {
    const auto slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    path.remove_prefix(slash + 1);
  }
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

enum class fit : std::uint8_t { no, yes, bad_name };

fit fits(const route& r, const std::vector<std::string_view>& path, match& out) {
  const auto pattern = segments_of(r.pattern);
  if (pattern.size() != path.size()) return fit::no;
  auto result = fit::yes;
  out.parameters.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto text = percent_decoded(path[i]);
    if (is_parameter(pattern[i])) {
      if (!text || !is_plain_name(*text))
        result = fit::bad_name;
      else
        out.parameters.emplace(pattern[i].substr(1, pattern[i].size() - 2), *text);
    } else if (!text || *text != pattern[i]) {
      return fit::no;
    }
  }
  return result;
}

} // namespace

match find_route(const std::vector<route>& table, std::string_view method, std::string_view path) {
  match out;
  if (!path.starts_with('/')) return out;
  const auto segments = segments_of(path);
  for (const auto& r : table) {
    const auto f = fits(r, segments, out);
    if (f == fit::no) continue;
    if (f == fit::bad_name) {
      out.bad_name = true;
      continue;
    }
    if (method == r.method || (method == "HEAD" && r.method == "GET")) {
      out.found = &r;
      out.bad_name = false;
      return out;
    }
    if (!out.allowed.empty()) out.allowed += ", ";
    out.allowed += r.method == "GET" ? "GET, HEAD" : r.method;
  }
  return out;
}

} // namespace penstock::gateway::http
