#pragma once

#include <string>

namespace penstock::metrics {

/// The reference manual of every metric, in Markdown (docs/metrics.md).
[[nodiscard]] std::string markdown_reference();

} // namespace penstock::metrics
