#include <chrono>
#include <set>

#include "tests/unit/jobs/backends.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using test::on_all_backends;
using test::take;

namespace {

/// Asks until there is a hint, 20 s at most: servers keep the time of hints themselves, to the second.
std::optional<jobs::hint> wait_for_hint(jobs::hints& queue, jobs::milliseconds invisible_for) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (std::chrono::steady_clock::now() < end) {
    auto found = take(queue.pop(invisible_for));
    if (found) return found;
  }
  return std::nullopt;
}

} // namespace

TEST_CASE("a hint goes to one worker at a time and is gone when it is acknowledged") {
  on_all_backends([](const test::backend& on) {
    const auto queue = open(on).hints;
    CHECK_FALSE(take(queue->pop(60s)));
    CHECK(take(queue->depth()) == 0);
    for (const auto* id : {"a", "b", "c"}) take(queue->push(id));
    CHECK(take(queue->depth()) == 3);
    std::multiset<std::string> seen;
    const auto other = open(on).hints;
    for (int i = 0; i < 3; ++i) {
      const auto got = wait_for_hint(i % 2 == 0 ? *queue : *other, 60s);
      REQUIRE(got);
      seen.insert(got->job);
      take(queue->acknowledge(*got));
    }
    CHECK(seen == std::multiset<std::string>{"a", "b", "c"});
    CHECK_FALSE(take(queue->pop(60s)));
    CHECK(take(queue->depth()) == 0);
  });
}

TEST_CASE("a hint that is given back is seen again, with another receipt") {
  on_all_backends([](const test::backend& on) {
    const auto queue = open(on).hints;
    take(queue->push("a"));
    const auto first = wait_for_hint(*queue, 60s);
    REQUIRE(first);
    CHECK_FALSE(take(queue->pop(60s)));
    CHECK(take(queue->depth()) == 1);
    take(queue->release(*first, 0ms));
    const auto second = wait_for_hint(*queue, 60s);
    REQUIRE(second);
    CHECK(second->job == "a");
    CHECK(second->receipt != first->receipt);
    take(queue->acknowledge(*second));
    CHECK(take(queue->depth()) == 0);
  });
}

TEST_CASE("a hint that is given back for later stays unseen until then") {
  on_all_backends([](const test::backend& on) {
    const auto queue = open(on).hints;
    take(queue->push("a"));
    const auto got = wait_for_hint(*queue, 60s);
    REQUIRE(got);
    const auto released = std::chrono::steady_clock::now();
    take(queue->release(*got, 1'200ms));
    CHECK_FALSE(take(queue->pop(60s)));
    const auto again = wait_for_hint(*queue, 60s);
    REQUIRE(again);
    CHECK(std::chrono::steady_clock::now() - released >= 1s);
    take(queue->acknowledge(*again));
  });
}

TEST_CASE("a hint whose time is extended can be acknowledged with its new receipt") {
  on_all_backends([](const test::backend& on) {
    const auto queue = open(on).hints;
    take(queue->push("a"));
    auto got = wait_for_hint(*queue, 60s);
    REQUIRE(got);
    for (int i = 0; i < 3; ++i) take(queue->extend(*got, 60s));
    CHECK_FALSE(take(queue->pop(60s)));
    take(queue->acknowledge(*got));
    CHECK(take(queue->depth()) == 0);
  });
}
