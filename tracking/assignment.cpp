#include "tracking/assignment.hpp"

#include <limits>

namespace penstock::tracking {

namespace {

/// The row of each column, rows ≤ columns; `gain(row, column)`.
template <class Gain>
std::vector<std::size_t> solve(std::size_t rows, std::size_t columns, Gain gain) {
  // column `columns` is where each row's search starts
  std::vector<double> row_potential(rows, 0);
  std::vector<double> column_potential(columns + 1, 0);
  std::vector<std::size_t> row_of(columns + 1, unassigned);
  std::vector<std::size_t> previous(columns + 1);
  std::vector<double> distance(columns + 1);
  std::vector<bool> visited(columns + 1);

  for (std::size_t row = 0; row < rows; ++row) {
    distance.assign(columns + 1, std::numeric_limits<double>::infinity());
    visited.assign(columns + 1, false);
    auto at = columns;
    row_of[at] = row;
    while (row_of[at] != unassigned) {
      visited[at] = true;
      const auto from = row_of[at];
      auto step = std::numeric_limits<double>::infinity();
      auto next = columns;
      for (std::size_t c = 0; c < columns; ++c) {
        if (visited[c]) continue;
        const auto reduced = -gain(from, c) - row_potential[from] - column_potential[c];
        if (reduced < distance[c]) {
          distance[c] = reduced;
          previous[c] = at;
        }
        if (distance[c] < step) {
          step = distance[c];
          next = c;
        }
      }
      for (std::size_t c = 0; c <= columns; ++c) {
        if (visited[c]) {
          row_potential[row_of[c]] += step;
          column_potential[c] -= step;
        } else {
          distance[c] -= step;
        }
      }
      at = next;
    }
    while (at != columns) {
      row_of[at] = row_of[previous[at]];
      at = previous[at];
    }
  }
  row_of.pop_back();
  return row_of;
}

} // namespace

std::vector<std::size_t> assign(const std::vector<double>& gains, std::size_t rows, std::size_t columns) {
  const auto gain = [&](std::size_t r, std::size_t c) { return gains[r * columns + c]; };
  std::vector<std::size_t> column_of(rows, unassigned);
  if (rows <= columns) {
    const auto row_of = solve(rows, columns, gain);
    for (std::size_t c = 0; c < columns; ++c)
      if (row_of[c] != unassigned && gain(row_of[c], c) > 0) column_of[row_of[c]] = c;
  } else {
    const auto found = solve(columns, rows, [&](std::size_t c, std::size_t r) { return gain(r, c); });
    for (std::size_t r = 0; r < rows; ++r)
      if (found[r] != unassigned && gain(r, found[r]) > 0) column_of[r] = found[r];
  }
  return column_of;
}

} // namespace penstock::tracking
