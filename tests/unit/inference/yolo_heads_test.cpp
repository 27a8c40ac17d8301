#include "tests/catch.hpp"
#include "tests/unit/inference/head_reference.hpp"
#include "tests/unit/inference/tensors.hpp"

using namespace penstock;
using tests::f32_output;
using tests::f32_tensor;
using tests::model_giving;

namespace {

constexpr std::int64_t items = 3;
constexpr std::int64_t anchors = 257;
constexpr std::int64_t classes = 7;

/// Random rows [items][anchors][4 + 1 + classes] of a model that sees a few objects.
f32_tensor random_rows(unsigned seed) {
  auto rows = tests::random_tensor({items, anchors, 5 + classes}, 0, 1, seed);
  for (std::size_t i = 0; i < rows.values.size(); ++i) {
    const auto channel = i % (5 + classes);
    auto& v = rows.values[i];
    if (channel < 2) v *= 64;
    if (channel == 2 || channel == 3) v = 2 + 30 * v;
    if (channel > 4) v = v * v;
  }
  return rows;
}

const float* row_of(const f32_tensor& rows, std::int64_t item, std::int64_t anchor) {
  return rows.values.data() + (item * anchors + anchor) * (5 + classes);
}

core::detection best_of(const float* row, float factor) {
  const auto* best = std::max_element(row + 5, row + 5 + classes);
  return {static_cast<std::int32_t>(best - (row + 5)),
          *best * factor,
          {row[0] - row[2] / 2, row[1] - row[3] / 2, row[2], row[3]}};
}

/// The same rows as [items][4 + classes][anchors], without objectness.
f32_tensor as_planes(const f32_tensor& rows) {
  f32_tensor planes{{items, 4 + classes, anchors}};
  auto* to = planes.values.data();
  for (std::int64_t item = 0; item < items; ++item) {
    for (std::int64_t channel = 0; channel < 5 + classes; ++channel) {
      if (channel == 4) continue;
      for (std::int64_t a = 0; a < anchors; ++a) *to++ = row_of(rows, item, a)[channel];
    }
  }
  return planes;
}

} // namespace

TEST_CASE("a YOLOv5 row becomes an object in source pixels") {
  f32_tensor rows{{1, 10, 7}};
  const float values[] = {32, 32, 10, 20, 0.8F, 0.25F, 0.5F};
  std::copy(std::begin(values), std::end(values), rows.values.begin() + 3 * 7);
  for (auto name : {"yolov5", "yolov7"}) {
    const auto head = tests::require_head(name, model_giving({f32_output({1, 10, 7})}));
    CHECK(head->classes() == 2);
    tests::require_same(tests::decode(*head, tests::outputs_of(rows), 0), {{1, 0.4F, {270, 140, 100, 200}}});
  }
}

TEST_CASE("a YOLOv8 column becomes an object in source pixels") {
  f32_tensor planes{{1, 6, 10}};
  const float values[] = {32, 32, 10, 20, 0.25F, 0.5F};
  for (std::size_t c = 0; c < 6; ++c) planes.values[c * 10 + 9] = values[c];
  for (auto name : {"yolov8", "yolo11"}) {
    const auto head = tests::require_head(name, model_giving({f32_output({-1, 6, 10})}));
    CHECK(head->classes() == 2);
    tests::require_same(tests::decode(*head, tests::outputs_of(planes), 0), {{1, 0.5F, {270, 140, 100, 200}}});
  }
}

TEST_CASE("the YOLO heads agree with a plain loop on random tensors") {
  for (const auto& options : {inference::head_options{}, inference::head_options{.score = 0.5F, .iou = 0.2F},
                              inference::head_options{.max_objects = 5},
                              inference::head_options{.class_agnostic = true}, inference::head_options{.score = 0}}) {
    const auto v5 = tests::require_head("yolov5", model_giving({f32_output({-1, anchors, 5 + classes})}), options);
    const auto v8 = tests::require_head("yolov8", model_giving({f32_output({-1, 4 + classes, anchors})}), options);
    for (unsigned seed = 1; seed <= 4; ++seed) {
      const auto rows = random_rows(seed);
      const auto planes = as_planes(rows);
      for (std::int64_t item = 0; item < items; ++item) {
        std::vector<core::detection> raw5;
        std::vector<core::detection> raw8;
        for (std::int64_t a = 0; a < anchors; ++a) {
          raw5.push_back(best_of(row_of(rows, item, a), row_of(rows, item, a)[4]));
          raw8.push_back(best_of(row_of(rows, item, a), 1));
        }
        const auto i = static_cast<std::size_t>(item);
        const auto expected = tests::reference_finish(raw5, options, true);
        CHECK(expected.size() > 2);
        tests::require_same(tests::decode(*v5, tests::outputs_of(rows), i), expected);
        tests::require_same(tests::decode(*v8, tests::outputs_of(planes), i),
                            tests::reference_finish(raw8, options, true));
      }
    }
  }
}

TEST_CASE("boxes end at the frame's border, and what lies wholly in the padding is no object") {
  f32_tensor planes{{1, 5, 10}};
  const auto put = [&](std::size_t anchor, std::array<float, 5> values) {
    for (std::size_t c = 0; c < 5; ++c) planes.values[c * 10 + anchor] = values[c];
  };
  put(0, {2, 32, 10, 10, 0.9F});  // 30 source pixels over the left border
  put(1, {32, 4, 10, 6, 0.8F});   // in the upper border of the letterbox
  put(2, {62, 54, 20, 10, 0.7F}); // over the lower right corner
  const auto head = tests::require_head("yolov8", model_giving({f32_output({1, 5, 10})}));
  tests::require_same(tests::decode(*head, tests::outputs_of(planes), 0),
                      {{0, 0.9F, {0, 190, 70, 100}}, {0, 0.7F, {520, 410, 120, 70}}});
}
