#pragma once

#include <cstddef>
#include <vector>

namespace penstock::tracking {

/// No partner.
inline constexpr auto unassigned = static_cast<std::size_t>(-1);

/// Pairs rows with columns so that the sum of the pairs' gains is as large as it can be: the column of each row, or
/// `unassigned`. `gains` is row-major and not negative; pairs without gain are left apart. Shortest augmenting paths
/// with potentials (Jonker and Volgenant 1987), O(min² · max) time.
[[nodiscard]] std::vector<std::size_t> assign(const std::vector<double>& gains, std::size_t rows, std::size_t columns);

} // namespace penstock::tracking
