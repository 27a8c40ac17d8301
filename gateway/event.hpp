#pragma once

#include <string>
#include <vector>

namespace penstock::gateway {

/// Something that readers of /v1/events may want to know.
struct event {
  std::string kind;                ///< result, stream, worker, job: one word
  std::string stream;              ///< whose; empty where it is of none
  std::vector<std::string> labels; ///< of a result's objects, for filters
  std::string json;                ///< one JSON object on one line, sent as it is
};

} // namespace penstock::gateway
