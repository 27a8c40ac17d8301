#include "tracking/assignment.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/catch.hpp"

using namespace penstock::tracking;

namespace {

double total(const std::vector<double>& gains, std::size_t columns, const std::vector<std::size_t>& column_of) {
  double sum = 0;
  for (std::size_t r = 0; r < column_of.size(); ++r)
    if (column_of[r] != unassigned) sum += gains[r * columns + column_of[r]];
  return sum;
}

/// Best total over all ways, by trying them.
double best_total(const std::vector<double>& gains, std::size_t rows, std::size_t columns) {
  const auto n = std::max(rows, columns);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  double best = 0;
  do {
    double sum = 0;
    for (std::size_t r = 0; r < rows; ++r)
      if (order[r] < columns) sum += gains[r * columns + order[r]];
    best = std::max(best, sum);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

} // namespace

TEST_CASE("an assignment gains as much as the best of all permutations") {
  std::mt19937 random{3};
  for (int round = 0; round < 300; ++round) {
    const std::size_t rows = random() % 7;
    const std::size_t columns = random() % 7;
    std::vector<double> gains(rows * columns);
    for (auto& g : gains) g = random() % 3 == 0 ? 0 : static_cast<double>(random() % 100) / 100;
    const auto column_of = assign(gains, rows, columns);
    REQUIRE(column_of.size() == rows);
    std::vector<std::size_t> used;
    for (std::size_t r = 0; r < rows; ++r) {
      if (column_of[r] == unassigned) continue;
      REQUIRE(column_of[r] < columns);
      CHECK(gains[r * columns + column_of[r]] > 0);
      used.push_back(column_of[r]);
    }
    std::sort(used.begin(), used.end());
    CHECK(std::adjacent_find(used.begin(), used.end()) == used.end());
    CHECK(total(gains, columns, column_of) == Approx(best_total(gains, rows, columns)).margin(1e-9));
  }
}

TEST_CASE("an assignment gives up the best pair where two others gain more") {
  // greedy takes 0.9 and then 0; together 0.8 and 0.7 are more
  CHECK(assign({0.9, 0.8, 0.7, 0}, 2, 2) == std::vector<std::size_t>{1, 0});
}
