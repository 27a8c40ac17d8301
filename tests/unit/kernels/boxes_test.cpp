#include "kernels/boxes.hpp"

#include <cmath>
#include <random>

#include "kernels/convert.hpp"
#include "kernels/nms.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kernels/instruction_sets.hpp"

namespace {

using namespace penstock;
using kernels::candidate;

/// What both functions promise, plainly; score of class c and anchor a at scores[a * classes + c].
std::vector<candidate> expected(const std::vector<float>& scores, std::size_t classes, std::size_t anchors,
                                const float* objectness, float threshold) {
  std::vector<candidate> out;
  for (std::size_t a = 0; a < anchors; ++a) {
    std::int32_t best = -1;
    for (std::size_t c = 0; c < classes; ++c) {
      const auto s = scores[a * classes + c];
      if (!std::isnan(s) && (best < 0 || s > scores[a * classes + static_cast<std::size_t>(best)]))
        best = static_cast<std::int32_t>(c);
    }
    if (best < 0) continue;
    const auto score =
        scores[a * classes + static_cast<std::size_t>(best)] * (objectness == nullptr ? 1.0F : objectness[a]);
    if (score >= threshold) out.push_back({static_cast<std::uint32_t>(a), best, score});
  }
  return out;
}

core::detection object(float x, float score, std::int32_t class_index = 0) {
  return {class_index, score, core::box{x, 0, 10, 10}};
}

} // namespace

TEST_CASE("the best classes over the threshold are found in both layouts") {
  for_each_instruction_set([] {
    std::mt19937 random{11};
    for (const auto& [classes, anchors] :
         {std::pair<std::size_t, std::size_t>{1, 1}, {80, 77}, {3, 1025}, {17, 2100}, {5, 0}, {0, 5}}) {
      std::vector<float> rows(classes * anchors);
      std::vector<float> objectness(anchors);
      for (auto& s : rows) s = static_cast<float>(random() % 16) / 16; // many ties
      for (auto& o : objectness) o = static_cast<float>(random() % 16) / 16;
      if (rows.size() > 7) rows[7] = std::nanf("");
      std::vector<float> planes(rows.size());
      for (std::size_t a = 0; a < anchors; ++a)
        for (std::size_t c = 0; c < classes; ++c) planes[c * anchors + a] = rows[a * classes + c];
      // rows as YOLOv5 has them: objectness, then the classes
      std::vector<float> with_objectness;
      for (std::size_t a = 0; a < anchors; ++a) {
        with_objectness.push_back(objectness[a]);
        with_objectness.insert(with_objectness.end(), rows.begin() + static_cast<std::ptrdiff_t>(a * classes),
                               rows.begin() + static_cast<std::ptrdiff_t>((a + 1) * classes));
      }
      for (const float threshold : {0.0F, 0.5F, 0.9F}) {
        std::vector<candidate> found;
        kernels::best_class_planar(planes.data(), anchors, classes, anchors, nullptr, threshold, found);
        CHECK(found == expected(rows, classes, anchors, nullptr, threshold));
        found.clear();
        kernels::best_class_planar(planes.data(), anchors, classes, anchors, objectness.data(), threshold, found);
        CHECK(found == expected(rows, classes, anchors, objectness.data(), threshold));
        found.clear();
        kernels::best_class_interleaved(rows.data(), classes, classes, anchors, nullptr, threshold, found);
        CHECK(found == expected(rows, classes, anchors, nullptr, threshold));
        found.clear();
        kernels::best_class_interleaved(with_objectness.data() + 1, classes + 1, classes, anchors,
                                        with_objectness.data(), threshold, found);
        CHECK(found == expected(rows, classes, anchors, objectness.data(), threshold));
      }
    }
  });
}

TEST_CASE("candidates are appended to those there are") {
  const float score = 0.75F;
  std::vector<candidate> found{{9, 9, 0.5F}};
  kernels::best_class_planar(&score, 1, 1, 1, nullptr, 0.5F, found);
  CHECK(found == std::vector<candidate>{{9, 9, 0.5F}, {0, 0, 0.75F}});
}

TEST_CASE("overlap of boxes is intersection over union") {
  const core::box a{0, 0, 10, 10};
  CHECK(kernels::iou(a, a) == Approx(1));
  CHECK(kernels::iou(a, {5, 0, 10, 10}) == Approx(1.0 / 3));
  CHECK(kernels::iou(a, {10, 0, 10, 10}) == 0);
  CHECK(kernels::iou(a, {2, 2, -5, 5}) == 0);
  CHECK(kernels::iou({}, {}) == 0);
}

TEST_CASE("the better of two overlapping detections of a class remains") {
  std::vector<core::detection> d{object(0, 0.5F), object(2, 0.9F), object(1, 0.8F, 1), object(100, 0.3F),
                                 object(3, 0.1F)};
  kernels::nms_spec spec;
  auto by_class = d;
  kernels::nms(by_class, spec);
  CHECK(by_class == std::vector<core::detection>{object(2, 0.9F), object(1, 0.8F, 1), object(100, 0.3F)});
  spec.class_agnostic = true;
  kernels::nms(d, spec);
  CHECK(d == std::vector<core::detection>{object(2, 0.9F), object(100, 0.3F)});
}

TEST_CASE("suppression follows the greedy rule and its limits") {
  // 0 suppresses 4, which would have suppressed 8: 8 stays
  std::vector<core::detection> chain{object(0, 0.9F), object(4, 0.8F), object(8, 0.7F)};
  kernels::nms_spec spec;
  spec.iou = 0.4F;
  kernels::nms(chain, spec);
  CHECK(chain == std::vector<core::detection>{object(0, 0.9F), object(8, 0.7F)});

  std::vector<core::detection> ties{object(0, 0.5F), object(100, 0.5F), object(1, 0.5F), object(200, 0.6F)};
  kernels::nms(ties, {});
  CHECK(ties == std::vector<core::detection>{object(200, 0.6F), object(0, 0.5F), object(100, 0.5F)});

  std::vector<core::detection> many;
  for (int i = 0; i < 50; ++i) many.push_back(object(static_cast<float>(100 * i), 0.3F + static_cast<float>(i) / 100));
  spec.max_objects = 3;
  kernels::nms(many, spec);
  REQUIRE(many.size() == 3);
  CHECK(many[0].box.x == 4900);

  std::vector<core::detection> candidates{object(0, 0.5F), object(1, 0.9F), object(300, 0.8F), object(100, 0.4F)};
  spec = {};
  spec.max_candidates = 2;
  kernels::nms(candidates, spec);
  CHECK(candidates == std::vector<core::detection>{object(1, 0.9F), object(300, 0.8F)});

  std::vector<core::detection> nan{object(0, std::nanf("")), object(0, 0.5F)};
  kernels::nms(nan, {});
  CHECK(nan == std::vector<core::detection>{object(0, 0.5F)});
}
