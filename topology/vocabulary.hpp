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
  std::vector<std::string> devices;  ///< those an engine can use here, without "auto"
  std::vector<std::string> policies; ///< of scaling
  std::string no_cuda;               ///< why there is no CUDA device here, and what to do about it; empty when there is
};

} // namespace penstock::topology
