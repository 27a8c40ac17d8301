#include <cmath>

#include "tests/catch.hpp"
#include "tests/unit/inference/head_reference.hpp"
#include "tests/unit/inference/tensors.hpp"

using namespace penstock;
using tests::f32_output;
using tests::f32_tensor;
using tests::model_giving;

namespace {

const core::box frame{0, 0, 640, 480};

std::vector<core::detection> classified(std::vector<float> values, const inference::head_options& options) {
  f32_tensor t{{1, static_cast<std::int64_t>(values.size())}};
  const auto head = tests::require_head("classify", model_giving({f32_output(t.shape)}), options);
  CHECK(head->classes() == values.size());
  t.values = std::move(values);
  return tests::decode(*head, tests::outputs_of(t), 0);
}

} // namespace

TEST_CASE("probabilities are taken as they are, and the best are the frame's classes") {
  tests::require_same(classified({0.1F, 0.5F, 0.05F, 0.35F}, {.score = 0, .top_k = 3}),
                      {{1, 0.5F, frame}, {3, 0.35F, frame}, {0, 0.1F, frame}});
}

TEST_CASE("logits go through softmax, however large") {
  const auto e = std::exp(1.0F);
  const auto sum = e * e + e + 1;
  tests::require_same(classified({0, 2, 1}, {.score = 0, .top_k = 2}), {{1, e * e / sum, frame}, {2, e / sum, frame}});
  tests::require_same(classified({1000, 1002, 1001}, {.score = 0, .top_k = 1}), {{1, e * e / sum, frame}});
  tests::require_same(classified({-1.5F, 2, 0.5F}, {.score = 0, .top_k = 1}),
                      {{1, 1 / (1 + std::exp(-3.5F) + std::exp(-1.5F)), frame}});
}

TEST_CASE("classes below the score do not count, nor more than there are or than asked for, and ties go by number") {
  tests::require_same(classified({0.6F, 0.4F}, {.score = 0.5F, .top_k = 5}), {{0, 0.6F, frame}});
  CHECK(classified({0.6F, 0.4F}, {.score = 0, .top_k = 5}).size() == 2);
  CHECK(classified({0.6F, 0.4F}, {.score = 0, .max_objects = 1, .top_k = 5}).size() == 1);
  tests::require_same(classified({0.25F, 0.25F, 0.25F, 0.25F}, {.score = 0, .top_k = 2}),
                      {{0, 0.25F, frame}, {1, 0.25F, frame}});
}

TEST_CASE("a classification may have extents of 1 behind its classes") {
  const auto head = tests::require_head("classify", model_giving({f32_output({-1, 2, 1, 1})}), {.score = 0.5F});
  f32_tensor t{{2, 2, 1, 1}};
  t.values = {0.9F, 0.1F, 0.2F, 0.8F};
  tests::require_same(tests::decode(*head, tests::outputs_of(t), 1), {{1, 0.8F, frame}});
}
