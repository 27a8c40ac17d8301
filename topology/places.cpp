#include "topology/places.hpp"

#include <utility>

#include <fmt/format.h>

namespace penstock::topology {

place value_places::find(std::string path) const {
  for (;;) {
    if (const auto it = places_.find(path); it != places_.end()) return it->second;
    const auto dot = path.rfind('.');
    if (dot == std::string::npos) return {};
    path.resize(dot);
  }
}

problem value_places::at(std::string path, std::string message, severity s) const {
  const auto where = find(path);
  return at(where, std::move(path), std::move(message), s);
}

problem value_places::at(const place& where, std::string path, std::string message, severity s) const {
  const auto in_file = where.override_number == 0;
  return {.file = in_file ? file_ : "--set",
          .line = in_file ? where.line : where.override_number,
          .column = where.column,
          .path = std::move(path),
          .message = std::move(message),
          .severity = s};
}

std::string to_string(const problem& p) {
  return fmt::format("{}:{}:{}: {}{}{}{}", p.file, p.line, p.column, p.path, p.path.empty() ? "" : ": ",
                     p.severity == severity::note ? "note: " : "", p.message);
}

} // namespace penstock::topology
