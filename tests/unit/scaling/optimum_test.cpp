#include "tests/unit/scaling/optimum.hpp"

#include "tests/catch.hpp"
#include "tests/unit/scaling/loads.hpp"

using namespace penstock::scaling::test;
using namespace std::chrono_literals;

TEST_CASE("a steady load costs its work", "[scaling]") {
  const auto best = clairvoyant(steady(30 * 5, 300), {.late_share = 0});
  CHECK(best.instance_s == Approx(5 * 300).epsilon(0.01));
  CHECK(best.late_share == 0);
}

TEST_CASE("a gap that is shorter than a boot is bridged, and a longer one is not", "[scaling]") {
  load gap(900, 30 * 4);
  for (std::size_t t = 300; t < 400; ++t) gap[t] = 0;
  CHECK(clairvoyant(gap, {.late_share = 0}).instance_s == Approx(4 * 900 - 4).epsilon(0.01));
  for (std::size_t t = 300; t < 800; ++t) gap[t] = 0;
  // One stays for the last to come back at once, three boot anew.
  const auto best = clairvoyant(gap, {.late_share = 0});
  CHECK(best.instance_s >= 4 * 400 + 3 * 240);
  CHECK(best.instance_s <= 4 * 400 + 4 * 240 + 500);
}

TEST_CASE("a peak of less than the share that may be late is not paid for", "[scaling]") {
  load peak(1000, 30 * 4);
  for (std::size_t t = 500; t < 502; ++t) peak[t] = 30 * 12;
  const auto strict = clairvoyant(peak, {.late_share = 0});
  const auto lenient = clairvoyant(peak, {.late_share = 0.05});
  CHECK(strict.late_share == 0);
  CHECK(lenient.late_share <= 0.05);
  CHECK(lenient.instance_s < strict.instance_s);
}
