#pragma once

#include <string>

#include "topology/vocabulary.hpp"

namespace penstock::topology {

/// JSON Schema (draft 2020-12) of topology files, for editors.
[[nodiscard]] std::string json_schema(const vocabulary& words);

/// The reference manual of every key, in Markdown (docs/topology.md).
[[nodiscard]] std::string markdown_reference(const vocabulary& words);

} // namespace penstock::topology
