#include "core/cores.hpp"

#include <sched.h>

#include "tests/catch.hpp"

using namespace penstock;

TEST_CASE("a process that is pinned to one processor counts one, however many the machine has", "[core]") {
  const auto before = core::usable_cores();
  CHECK(before >= 1);
  cpu_set_t mine;
  REQUIRE(sched_getaffinity(0, sizeof mine, &mine) == 0);
  int first = 0;
  while (!CPU_ISSET(first, &mine)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(core::usable_cores() == 1);
  REQUIRE(sched_setaffinity(0, sizeof mine, &mine) == 0);
  CHECK(core::usable_cores() == before);
}
