#include "actors/credit_pool.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/catch.hpp"

using namespace penstock;
using actors::credit;
using actors::credit_pool;

namespace {

core::time_point at(int ms) { return core::time_point{std::chrono::milliseconds{ms}}; }

/// A claim that writes its name down when it is served, and holds the credit.
struct claims {
  std::shared_ptr<credit_pool> pool;
  std::vector<std::string> served;
  std::vector<credit> held;

  void take(const std::string& name, bool live, int since) {
    auto now = pool->take({live, at(since)}, [this, name](credit granted) {
      served.push_back(name);
      held.push_back(std::move(granted));
    });
    if (now) {
      served.push_back(name);
      held.push_back(std::move(now));
    }
  }
};

} // namespace

TEST_CASE("no more credits are out than the pool has, and each comes back when its last copy goes", "[actors]") {
  const auto pool = std::make_shared<credit_pool>(2, metrics::gauge{});
  const auto never = [](const credit&) { FAIL("nobody waits"); };
  auto a = pool->take({}, never);
  const auto b = pool->take({}, never);
  REQUIRE(a);
  REQUIRE(b);
  CHECK(pool->available() == 0);
  auto copy = a;
  a.reset();
  CHECK(pool->available() == 0);
  copy.reset();
  CHECK(pool->available() == 1);
}

TEST_CASE("waiting claims are served live first, then by age", "[actors]") {
  claims c{std::make_shared<credit_pool>(1, metrics::gauge{}), {}, {}};
  c.take("holder", false, 0);
  c.take("young file", false, 30);
  c.take("old file", false, 10);
  c.take("young camera", true, 40);
  c.take("old camera", true, 20);
  for (std::size_t i = 0; i < 5; ++i) std::exchange(c.held[i], nullptr).reset();
  CHECK(c.served == std::vector<std::string>{"holder", "old camera", "young camera", "old file", "young file"});
  CHECK(c.pool->available() == 1);
}

TEST_CASE("a stream of live claims leaves every eighth credit to the others", "[actors]") {
  claims c{std::make_shared<credit_pool>(1, metrics::gauge{}), {}, {}};
  c.take("holder", true, 0);
  for (int i = 0; i < 20; ++i) c.take("camera", true, i);
  for (int i = 0; i < 3; ++i) c.take("file", false, i);
  for (std::size_t i = 0; i < 24; ++i) std::exchange(c.held[i], nullptr).reset();
  REQUIRE(c.served.size() == 24);
  CHECK(c.served[8] == "file");
  CHECK(c.served[16] == "file");
}

TEST_CASE("lossless claims that found nothing wait for a burst of credits, live ones do not", "[actors]") {
  claims c{std::make_shared<credit_pool>(4, metrics::gauge{}, 3), {}, {}};
  for (int i = 0; i < 4; ++i) c.take("holder", false, i);
  c.take("file", false, 10);
  c.held[0].reset();
  c.held[1].reset();
  CHECK(c.served.size() == 4);
  c.take("late file", false, 11); // there is credit, but it is not its turn
  CHECK(c.served.size() == 4);
  c.held[2].reset();
  CHECK(c.served == std::vector<std::string>{"holder", "holder", "holder", "holder", "file", "late file"});

  claims live{std::make_shared<credit_pool>(4, metrics::gauge{}, 3), {}, {}};
  for (int i = 0; i < 4; ++i) live.take("holder", false, i);
  live.take("camera", true, 10);
  live.held[0].reset();
  CHECK(live.served.back() == "camera");
}

TEST_CASE("a lossless claim is served beside live streams that always hold some credit, burst or not", "[actors]") {
  claims c{std::make_shared<credit_pool>(4, metrics::gauge{}, 3), {}, {}};
  c.take("camera", true, 0);
  c.take("camera", true, 1);
  c.take("holder", false, 2);
  c.take("holder", false, 3);
  c.take("file", false, 10);
  CHECK(c.served.size() == 4);
  c.held[2].reset(); // one is back; two more will never be, as long as the cameras go on
  CHECK(c.served.back() == "file");
}

TEST_CASE("credits taken and returned by many threads are neither lost nor doubled", "[actors]") {
  const auto pool = std::make_shared<credit_pool>(3, metrics::gauge{});
  std::atomic<int> out{0};
  std::atomic<int> most{0};
  std::atomic<int> served{0};
  const auto use = [&](credit held) {
    const int now = ++out;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    ++served;
    --out;
    held.reset();
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) {
          if (auto held = pool->take({t % 2 == 0, at(i)}, use)) use(std::move(held));
        }
      });
    }
  }
  CHECK(served == 2000);
  CHECK(most <= 3);
  CHECK(pool->available() == 3);
}
