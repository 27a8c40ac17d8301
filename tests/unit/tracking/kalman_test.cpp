#include "tracking/kalman.hpp"

#include "tests/catch.hpp"

using namespace penstock;
using tracking::box_filter;
using tracking::motion_filter;

TEST_CASE("the filter of one quantity computes what one computes by hand") {
  // P = [[10, 0], [0, 100]], one frame on with Q = diag(1, 0.01):
  // F P F' + Q = [[10 + 100 + 1, 100], [100, 100.01]]
  motion_filter f{5, 2, 10, 0, 100};
  f.predict(1, 1, 0.01);
  CHECK(f.value == Approx(7));
  CHECK(f.value_variance == Approx(111));
  CHECK(f.covariance == Approx(100));
  CHECK(f.velocity_variance == Approx(100.01));
  // R = 9: K = [111, 100] / 120; the innovation is 3
  f.correct(10, 9);
  CHECK(f.value == Approx(7 + 3 * 111.0 / 120));
  CHECK(f.velocity == Approx(2 + 3 * 100.0 / 120));
  CHECK(f.value_variance == Approx(111 - 111.0 * 111 / 120));
  CHECK(f.covariance == Approx(100 - 111.0 * 100 / 120));
  CHECK(f.velocity_variance == Approx(100.01 - 100.0 * 100 / 120));
}

TEST_CASE("two frames at once reach where two single frames reach") {
  motion_filter once{5, 2, 10, 1, 100};
  auto twice = once;
  once.predict(2, 0, 0);
  twice.predict(1, 0, 0);
  twice.predict(1, 0, 0);
  CHECK(once.value == Approx(twice.value));
  CHECK(once.value_variance == Approx(twice.value_variance));
  CHECK(once.covariance == Approx(twice.covariance));
}

TEST_CASE("a box that moves steadily is expected where it will be") {
  core::box box{10, 20, 30, 60};
  box_filter filter{box};
  for (int i = 0; i < 20; ++i) {
    box.x += 5;
    box.y -= 2;
    static_cast<void>(filter.predict(1));
    filter.correct(box);
  }
  const auto expected = filter.predict(1);
  CHECK(expected.x == Approx(box.x + 5).margin(0.3));
  CHECK(expected.y == Approx(box.y - 2).margin(0.3));
  CHECK(expected.w == Approx(30).margin(0.5));
  CHECK(expected.h == Approx(60).margin(0.5));
}

TEST_CASE("a box that shrinks never turns inside out") {
  box_filter filter{{0, 0, 40, 40}};
  for (float side = 30; side > 1; side -= 10) {
    static_cast<void>(filter.predict(1));
    filter.correct({0, 0, side, side});
  }
  for (int i = 0; i < 50; ++i) {
    const auto b = filter.predict(1);
    CHECK(b.w > 0);
    CHECK(b.h > 0);
  }
  box_filter empty{{5, 5, 0, 0}};
  CHECK(empty.predict(1).w < 0.1F);
}
