#include "tests/catch.hpp"
#include "tests/unit/inference/head_reference.hpp"
#include "tests/unit/inference/tensors.hpp"

using namespace penstock;
using tests::f32_output;
using tests::f32_tensor;
using tests::model_giving;

TEST_CASE("an SSD anchor becomes an object of the model's own class number, and background none") {
  const auto head = tests::require_head(
      "ssd", model_giving({f32_output({1, 3, 2}, "scores"), f32_output({1, 3, 4}, "boxes")}), {.score = 0.7F});
  CHECK(head->classes() == 2);
  f32_tensor scores{{1, 3, 2}};
  f32_tensor boxes{{1, 3, 4}};
  scores.values = {0.9F, 0.1F, 0.2F, 0.8F, 0.4F, 0.6F};
  boxes.values = {0, 0, 1, 1, 0.25F, 0.5F, 0.5F, 0.75F, 0, 0, 1, 1};
  tests::require_same(tests::decode(*head, tests::outputs_of(scores, boxes), 0), {{1, 0.8F, {160, 240, 160, 160}}});
}

TEST_CASE("the SSD head agrees with a plain loop on random tensors, in either order of the outputs") {
  constexpr std::int64_t anchors = 301;
  constexpr std::int64_t classes = 4;
  const inference::head_options options{.score = 0.4F, .iou = 0.3F};
  const auto head = tests::require_head(
      "ssd", model_giving({f32_output({-1, anchors, 4}, "boxes"), f32_output({-1, anchors, classes}, "scores")}),
      options);
  for (unsigned seed = 1; seed <= 4; ++seed) {
    const auto scores = tests::random_tensor({2, anchors, classes}, 0, 0.6F, seed);
    auto boxes = tests::random_tensor({2, anchors, 4}, 0, 0.7F, seed + 100);
    for (std::size_t i = 0; i < boxes.values.size(); i += 4) {
      boxes.values[i + 2] = boxes.values[i] + 0.05F + boxes.values[i + 2] / 2;
      boxes.values[i + 3] = boxes.values[i + 1] + 0.05F + boxes.values[i + 3] / 2;
    }
    for (std::size_t item = 0; item < 2; ++item) {
      std::vector<core::detection> raw;
      for (std::size_t a = item * anchors; a < (item + 1) * anchors; ++a) {
        const auto* s = scores.values.data() + a * classes;
        const auto* best = std::max_element(s + 1, s + classes);
        const auto* b = boxes.values.data() + a * 4;
        raw.push_back({static_cast<std::int32_t>(best - s),
                       *best,
                       {b[0] * 64, b[1] * 64, (b[2] - b[0]) * 64, (b[3] - b[1]) * 64}});
      }
      const auto expected = tests::reference_finish(raw, options, true);
      CHECK(expected.size() > 5);
      tests::require_same(tests::decode(*head, tests::outputs_of(boxes, scores), item), expected);
    }
  }
}
