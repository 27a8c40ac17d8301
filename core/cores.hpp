#pragma once

namespace penstock::core {

/// How many processors this process may use at a time: those of its affinity mask, and no more than its control group
/// (cgroup v2, as containers set it) gives it time for. At least 1.
[[nodiscard]] unsigned usable_cores();

} // namespace penstock::core
