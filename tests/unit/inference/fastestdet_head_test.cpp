#include <cmath>

#include "tests/catch.hpp"
#include "tests/unit/inference/head_reference.hpp"
#include "tests/unit/inference/tensors.hpp"

using namespace penstock;
using tests::f32_output;
using tests::f32_tensor;
using tests::model_giving;

TEST_CASE("a FastestDet cell becomes an object in source pixels") {
  const auto head = tests::require_head("fastestdet", model_giving({f32_output({1, 7, 4, 4})}));
  CHECK(head->classes() == 2);
  f32_tensor grid{{1, 7, 4, 4}};
  const std::size_t cell = 2 * 4 + 1; // row 2, column 1
  const float values[] = {0.9F, 0, std::atanh(0.5F), 0, std::log(1.0F / 3), 0.2F, 0.8F};
  for (std::size_t c = 0; c < 7; ++c) grid.values[c * 16 + cell] = values[c];
  // Centre (1, 2.5) cells of 16 pixels, half as wide and a quarter as high as the tensor.
  const auto score = std::pow(0.9F, 0.6F) * std::pow(0.8F, 0.4F);
  tests::require_same(tests::decode(*head, tests::outputs_of(grid), 0), {{1, score, {0, 240, 320, 160}}});
}

TEST_CASE("the FastestDet head agrees with a plain loop on random tensors, also where the grid is not square") {
  constexpr std::int64_t rows = 9;
  constexpr std::int64_t columns = 13;
  constexpr std::int64_t classes = 6;
  constexpr std::size_t cells = rows * columns;
  for (const auto& options : {inference::head_options{.score = 0.5F}, inference::head_options{.score = 0}}) {
    const auto head =
        tests::require_head("fastestdet", model_giving({f32_output({-1, 5 + classes, rows, columns})}), options);
    for (unsigned seed = 1; seed <= 4; ++seed) {
      auto grid = tests::random_tensor({2, 5 + classes, rows, columns}, 0, 1, seed);
      for (std::size_t i = 0; i < grid.values.size(); ++i) {
        const auto channel = i / cells % (5 + classes);
        if (channel >= 1 && channel <= 4) grid.values[i] = 4 * grid.values[i] - 3;
      }
      for (std::size_t item = 0; item < 2; ++item) {
        const auto at = [&](std::size_t channel, std::size_t cell) {
          return grid.values[(item * (5 + classes) + channel) * cells + cell];
        };
        std::vector<core::detection> raw;
        for (std::size_t cell = 0; cell < cells; ++cell) {
          core::detection d;
          float best = -1;
          for (std::int32_t c = 0; c < classes; ++c) {
            if (at(5 + static_cast<std::size_t>(c), cell) > best) {
              best = at(5 + static_cast<std::size_t>(c), cell);
              d.class_index = c;
            }
          }
          d.score = std::pow(at(0, cell), 0.6F) * std::pow(best, 0.4F);
          const auto cx = (static_cast<float>(cell % columns) + std::tanh(at(1, cell))) / columns;
          const auto cy = (static_cast<float>(cell / columns) + std::tanh(at(2, cell))) / rows;
          const auto w = 1 / (1 + std::exp(-at(3, cell)));
          const auto h = 1 / (1 + std::exp(-at(4, cell)));
          d.box = {(cx - w / 2) * 64, (cy - h / 2) * 64, w * 64, h * 64};
          raw.push_back(d);
        }
        const auto expected = tests::reference_finish(raw, options, true);
        CHECK(expected.size() > 5);
        tests::require_same(tests::decode(*head, tests::outputs_of(grid), item), expected);
      }
    }
  }
}
