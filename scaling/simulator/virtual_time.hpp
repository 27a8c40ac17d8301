#pragma once

#include <cmath>
#include <cstdint>

namespace penstock::scaling::simulator {

// The simulation counts microseconds from its beginning.

/// No event, ever.
inline constexpr std::int64_t never_us = INT64_MAX;

[[nodiscard]] inline std::int64_t to_us(double seconds) noexcept { return std::llround(seconds * 1e6); }
[[nodiscard]] inline double to_s(std::int64_t us) noexcept { return static_cast<double>(us) * 1e-6; }

} // namespace penstock::scaling::simulator
