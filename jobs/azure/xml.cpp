#include "jobs/azure/xml.hpp"

#include <array>
#include <fmt/format.h>
#include <utility>

namespace penstock::jobs::azure {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 5> entities{
    {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}}};

} // namespace

std::vector<std::string_view> elements(std::string_view xml, std::string_view name) {
  std::vector<std::string_view> out;
  const auto open = fmt::format("<{}", name);
  const auto close = fmt::format("</{}>", name);
  std::size_t at = 0;
  while ((at = xml.find(open, at)) != std::string_view::npos) {
    at += open.size();
    if (at >= xml.size()) break;
    if (xml[at] != '>' && xml[at] != ' ' && xml[at] != '/') continue; // a longer name
    const auto end_of_tag = xml.find('>', at);
    if (end_of_tag == std::string_view::npos) break;
    if (xml[end_of_tag - 1] == '/') {
      out.emplace_back();
      at = end_of_tag + 1;
      continue;
    }
    const auto end = xml.find(close, end_of_tag);
    if (end == std::string_view::npos) break;
    out.push_back(xml.substr(end_of_tag + 1, end - end_of_tag - 1));
    at = end + close.size();
  }
  return out;
}

std::optional<std::string> text_of(std::string_view xml, std::string_view name) {
  const auto found = elements(xml, name);
  if (found.empty()) return std::nullopt;
  std::string out;
  for (auto left = found.front(); !left.empty();) {
    bool replaced = false;
    for (const auto& [entity, letter] : entities) {
      if (!left.starts_with(entity)) continue;
      out += letter;
      left.remove_prefix(entity.size());
      replaced = true;
      break;
    }
    if (replaced) continue;
    out += left.front();
    left.remove_prefix(1);
  }
  return out;
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    bool replaced = false;
    for (const auto& [entity, letter] : entities) {
      if (c != letter) continue;
      out += entity;
      replaced = true;
      break;
    }
    if (!replaced) out += c;
  }
  return out;
}

} // namespace penstock::jobs::azure
