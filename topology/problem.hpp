#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::topology {

enum class severity : std::uint8_t {
  error, ///< nothing starts with this file
  note,  ///< the file is right, but this version does not act on a part of it
};

/// Something to say about one place of a topology file.
struct problem {
  std::string file{}; ///< as the user named it; "--set" for overrides, where `line` counts them
  int line = 0;       ///< from 1
  int column = 0;     ///< from 1
  std::string path{}; ///< dotted keys, as `--set` takes them; empty for the whole file
  std::string message{};
  topology::severity severity = topology::severity::error;

  bool operator==(const problem&) const = default;
};

using problems = std::vector<problem>;

/// `FILE:LINE:COLUMN: path: message`; notes have "note: " before the message.
[[nodiscard]] std::string to_string(const problem& p);

} // namespace penstock::topology
