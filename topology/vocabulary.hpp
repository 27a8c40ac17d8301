#pragma once

#include <string>
#include <vector>

namespace penstock::topology {

/// The names that a topology file may use for what other rooms provide, aliases included.
struct vocabulary {
  std::vector<std::string> heads;
  std::vector<std::string> engines; ///< without "auto"
  std::vector<std::string> sink_kinds;
  std::vector<std::string> tracker_kinds;
  std::vector<std::string> devices; ///< those this build can use, without "auto"
};

} // namespace penstock::topology
