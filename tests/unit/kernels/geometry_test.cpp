#include "kernels/geometry.hpp"

#include "tests/catch.hpp"

namespace {

using namespace penstock;
using kernels::fit;
using kernels::geometry;

void check_inverse(const geometry& g) {
  const core::box source{12.5F, 7.25F, 100, 50};
  const auto back = g.to_source(g.to_tensor(source));
  CHECK(back.x == Approx(source.x).margin(1e-3));
  CHECK(back.y == Approx(source.y).margin(1e-3));
  CHECK(back.w == Approx(source.w));
  CHECK(back.h == Approx(source.h));
}

} // namespace

TEST_CASE("letterbox sizes and borders are those of Ultralytics' LetterBox") {
  // LetterBox(auto=False, scaleup=True, center=True) of these shapes
  auto g = kernels::map(fit::letterbox, 1920, 1080, 640, 640);
  CHECK(g == geometry{1920, 1080, 640, 640, 640, 360, 0, 140});
  g = kernels::map(fit::letterbox, 810, 1080, 640, 640);
  CHECK(g == geometry{810, 1080, 640, 640, 480, 640, 80, 0});
  // 427 px wide of 640: 213 are left over, 106 go left and 107 right
  g = kernels::map(fit::letterbox, 427, 640, 640, 640);
  CHECK(g == geometry{427, 640, 640, 640, 427, 640, 106, 0});
  g = kernels::map(fit::letterbox, 100, 3, 64, 64);
  CHECK(g == geometry{100, 3, 64, 64, 64, 2, 0, 31});
  check_inverse(g);
}

TEST_CASE("a picture thinner than a tensor pixel keeps one") {
  const auto g = kernels::map(fit::letterbox, 10'000, 1, 64, 64);
  CHECK(g.resized_height_px == 1);
}

TEST_CASE("stretch covers the tensor and crop cuts what stands over") {
  auto g = kernels::map(fit::stretch, 1920, 1080, 352, 352);
  CHECK(g == geometry{1920, 1080, 352, 352, 352, 352, 0, 0});
  check_inverse(g);
  const auto whole = g.to_source({0, 0, 352, 352});
  CHECK(whole.w == Approx(1920));
  CHECK(whole.h == Approx(1080));
  g = kernels::map(fit::crop, 1920, 1080, 224, 224);
  CHECK(g.resized_height_px == 224);
  CHECK(g.resized_width_px == 398);
  CHECK(g.left_px == -87);
  check_inverse(g);
}

TEST_CASE("boxes are clipped to the picture") {
  const auto g = kernels::map(fit::stretch, 100, 50, 10, 10);
  CHECK(g.clip({-10, -10, 30, 30}) == core::box{0, 0, 20, 20});
  CHECK(g.clip({90, 40, 30, 30}) == core::box{90, 40, 10, 10});
  CHECK(g.clip({200, 10, 30, 30}) == core::box{100, 10, 0, 30});
  CHECK(g.clip({10, 10, 20, 20}) == core::box{10, 10, 20, 20});
}
