#include "transport/hub/doubt.hpp"

#include "tests/catch.hpp"

using namespace std::chrono_literals;
using penstock::transport::doubt;

namespace {

constexpr doubt::clock::time_point start{};

} // namespace

TEST_CASE("a connection in doubt is asked at once, and ever less often while it seems sound") {
  doubt d{start};
  CHECK(d.wait(start) == 0ms);
  auto now = start;
  int asked = 0;
  while (!d.is_over(now)) {
    REQUIRE(d.is_due(now));
    d.put_off(now);
    CHECK_FALSE(d.is_due(now));
    CHECK(d.wait(now) <= 1000ms);
    now += d.wait(now);
    ++asked;
  }
  CHECK(now - start >= 10s);
  CHECK(now - start < 11s);
  CHECK(asked < 20);
}

TEST_CASE("once its end is certain, what came before it has a short time, however often it is confirmed") {
  doubt d{start};
  for (auto now = start; now < start + 200ms; now += 5ms) {
    CHECK_FALSE(d.is_over(now));
    CHECK(d.is_due(now));
    d.confirm(now);
    CHECK(d.wait(now) == 5ms);
  }
  CHECK(d.is_over(start + 200ms));
}
