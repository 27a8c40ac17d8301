#pragma once

#include "kernels/annotate.hpp"

namespace penstock::kernels {

/// invalid_argument where the job's parts do not fit each other.
[[nodiscard]] core::expected<void> check(const annotate_job& job);
[[nodiscard]] core::expected<void> check(const to_jpeg_planes_job& job);

} // namespace penstock::kernels
