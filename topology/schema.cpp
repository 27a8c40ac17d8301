#include "topology/schema.hpp"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "topology/manual_text.hpp"
#include "topology/schema_table.hpp"

namespace penstock::topology {
namespace {

/// Text inside a table's cell.
std::string cell(std::string_view s) {
  std::string out;
  for (const auto c : s) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

/// The anchor that Markdown viewers give a heading of code.
std::string anchor(std::string_view heading) {
  std::string out;
  for (const auto c : heading) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

/// Where the manual describes the map under a key.
const manual_section* section_of(const std::vector<manual_section>& all, const std::string& path) {
  const auto it = std::find_if(all.begin(), all.end(), [&](const manual_section& s) {
    return s.path == path || s.path == path + "[]" || s.path == path + ".ROLE";
  });
  return it == all.end() ? nullptr : &*it;
}

} // namespace

std::string json_schema(const vocabulary& words) {
  nlohmann::ordered_json j{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Penstock topology"}};
  j.update(config_shape().json_schema(words));
  return j.dump(2) + '\n';
}

std::string markdown_reference(const vocabulary& words) {
  std::vector<manual_section> sections;
  config_shape().sections("", "", words, sections);
  std::string out{manual_introduction};
  out += "\n## Reference\n";
  for (const auto& s : sections) {
    out += s.path.empty() ? "\n### Top level\n\n" : fmt::format("\n### `{}`\n\n{}\n\n", s.path, s.doc);
    out += "| key | allowed | default | meaning |\n|---|---|---|---|\n";
    for (const auto& r : s.rows) {
      if (const auto* inner = section_of(sections, join(s.path, r.key)); inner != nullptr) {
        out += fmt::format("| `{}` | see [`{}`](#{}) | | {} |\n", r.key, inner->path, anchor(inner->path), cell(r.doc));
      } else {
        const auto preset = r.preset == "required" ? r.preset : fmt::format("`{}`", r.preset);
        out += fmt::format("| `{}` | {} | {} | {} |\n", r.key, cell(r.type), preset, cell(r.doc));
      }
    }
  }
  return out;
}

} // namespace penstock::topology
