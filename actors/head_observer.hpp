#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace penstock::actors {

struct stream_report;

/// Is told what happens, on the head's thread: must neither block nor throw. Each part may be missing.
struct head_observer {
  std::function<bool()> wanted; ///< whether anybody listens to results
  std::function<void(const std::string& stream, const std::vector<std::string>& labels, const core::frame_result&)>
      result;
  std::function<void(const stream_report&)> stream;                             ///< began to run, or has finished
  std::function<void(const std::string& worker, std::string_view what)> worker; ///< joined, draining, silent, gone
};

} // namespace penstock::actors
