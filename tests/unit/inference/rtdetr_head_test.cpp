#include "tests/catch.hpp"
#include "tests/unit/inference/head_reference.hpp"
#include "tests/unit/inference/tensors.hpp"

using namespace penstock;
using core::element_type;
using tests::f32_output;
using tests::f32_tensor;
using tests::model_giving;

namespace {

template <class T>
void check_official_export(element_type label_type) {
  const auto head = tests::require_head(
      "rtdetr",
      model_giving({{"labels", label_type, {-1, 4}}, f32_output({-1, 4, 4}, "boxes"), f32_output({-1, 4}, "scores")}));
  CHECK(head->classes() == 0);
  tests::owned_tensor<T> labels{{2, 4}, label_type};
  f32_tensor boxes{{2, 4, 4}};
  f32_tensor scores{{2, 4}};
  labels.values = {0, 0, 0, 0, 16, 2, 16, 5};
  scores.values = {0, 0, 0, 0, 0.3F, 0.9F, 0.3F, 0.2F};
  const std::vector<float> second{10, 20, 20, 40, 0, 8, 64, 56, 10, 20, 20, 40, 1, 1, 9, 9};
  std::copy(second.begin(), second.end(), boxes.values.begin() + 16);
  const auto batch = tests::outputs_of(labels, boxes, scores);
  CHECK(tests::decode(*head, batch, 0).empty());
  // Overlapping queries stay: the model itself sees to it that they are different objects.
  tests::require_same(
      tests::decode(*head, batch, 1),
      {{2, 0.9F, {0, 0, 640, 480}}, {16, 0.3F, {100, 120, 100, 200}}, {16, 0.3F, {100, 120, 100, 200}}});
}

} // namespace

TEST_CASE("RT-DETR's labels, boxes and scores become objects without suppression") {
  check_official_export<std::int64_t>(element_type::i64);
  check_official_export<std::int32_t>(element_type::i32);
}

TEST_CASE("RT-DETR's rows agree with a plain loop on random tensors") {
  constexpr std::int64_t queries = 50;
  constexpr std::int64_t classes = 5;
  for (const auto& options : {inference::head_options{.score = 0.6F}, inference::head_options{.max_objects = 7}}) {
    const auto head = tests::require_head("rtdetr", model_giving({f32_output({-1, queries, 4 + classes})}), options);
    CHECK(head->classes() == classes);
    for (unsigned seed = 1; seed <= 4; ++seed) {
      const auto rows = tests::random_tensor({2, queries, 4 + classes}, 0, 1, seed);
      for (std::size_t item = 0; item < 2; ++item) {
        std::vector<core::detection> raw;
        for (std::size_t q = item * queries; q < (item + 1) * queries; ++q) {
          const auto* r = rows.values.data() + q * (4 + classes);
          const auto* best = std::max_element(r + 4, r + 4 + classes);
          raw.push_back({static_cast<std::int32_t>(best - (r + 4)),
                         *best,
                         {(r[0] - r[2] / 2) * 64, (r[1] - r[3] / 2) * 64, r[2] * 64, r[3] * 64}});
        }
        auto unlimited = options;
        unlimited.max_objects = queries;
        auto expected = tests::reference_finish(raw, unlimited, false);
        CHECK(expected.size() > 7);
        expected.resize(std::min(expected.size(), options.max_objects));
        tests::require_same(tests::decode(*head, tests::outputs_of(rows), item), expected);
      }
    }
  }
}
