#include <algorithm>
#include <thread>

#include "tests/simulation/random.hpp"
#include "tests/unit/jobs/backends.hpp"

using namespace penstock;
using test::on_all_backends;
using test::take;

TEST_CASE("a ledger creates a key once and reads what was written") {
  on_all_backends([](const test::backend& on) {
    const auto ledger = open(on).ledger;
    CHECK_FALSE(take(ledger->read("job/a")));
    const auto first = take(ledger->create("job/a", "one"));
    REQUIRE(first);
    CHECK_FALSE(take(ledger->create("job/a", "two")));
    const auto found = take(ledger->read("job/a"));
    REQUIRE(found);
    CHECK(found->key == "job/a");
    CHECK(found->value == "one");
    CHECK(found->version == *first);
    // Another connection sees the same.
    const auto other = take(open(on).ledger->read("job/a"));
    REQUIRE(other);
    CHECK(other->version == *first);
  });
}

TEST_CASE("a ledger replaces and removes only the version that the writer has seen") {
  on_all_backends([](const test::backend& on) {
    const auto ledger = open(on).ledger;
    const auto first = take(ledger->create("job/a", "one")).value();
    CHECK_FALSE(take(ledger->replace("job/none", "x", first)));
    const auto second = take(ledger->replace("job/a", "two", first));
    REQUIRE(second);
    CHECK(*second != first);
    CHECK_FALSE(take(ledger->replace("job/a", "three", first)));
    CHECK_FALSE(take(ledger->remove("job/a", first)));
    CHECK(take(ledger->read("job/a")).value().value == "two");
    CHECK(take(ledger->remove("job/a", *second)));
    CHECK_FALSE(take(ledger->remove("job/a", *second)));
    CHECK_FALSE(take(ledger->read("job/a")));
  });
}

TEST_CASE("a key that was removed and made again is not taken for the old one") {
  on_all_backends([](const test::backend& on) {
    const auto ledger = open(on).ledger;
    const auto first = take(ledger->create("job/a", "one")).value();
    REQUIRE(take(ledger->remove("job/a", first)));
    const auto again = take(ledger->create("job/a", "one"));
    REQUIRE(again);
    CHECK(*again != first);
    CHECK_FALSE(take(ledger->replace("job/a", "two", first)));
    CHECK_FALSE(take(ledger->remove("job/a", first)));
    CHECK(take(ledger->replace("job/a", "two", *again)));
  });
}

TEST_CASE("a ledger lists a prefix in the order of keys, page by page") {
  on_all_backends([](const test::backend& on) {
    const auto ledger = open(on).ledger;
    for (const auto* key : {"job/c", "job/a", "jobs/x", "job/b", "open/a", "job/d", "job/e"}) {
      REQUIRE(take(ledger->create(key, std::string{"value of "} + key)));
    }
    REQUIRE(take(ledger->remove("job/d", take(ledger->read("job/d"))->version)));
    std::vector<std::string> keys;
    std::string after;
    int pages = 0;
    while (true) {
      const auto page = take(ledger->list("job/", after, 2));
      ++pages;
      for (const auto& found : page.entries) {
        keys.push_back(found.key);
        CHECK(found.value == "value of " + found.key);
        CHECK(take(ledger->read(found.key))->version == found.version);
      }
      if (page.last) break;
      REQUIRE(page.entries.size() == 2);
      after = page.entries.back().key;
    }
    CHECK(pages == 2);
    CHECK(keys == std::vector<std::string>{"job/a", "job/b", "job/c", "job/e"});
    const auto none = take(ledger->list("nothing/", "", 10));
    CHECK(none.entries.empty());
    CHECK(none.last);
  });
}

TEST_CASE("a ledger keeps values of any bytes and of half a megabyte") {
  on_all_backends([](const test::backend& on) {
    const auto ledger = open(on).ledger;
    test::random random{7};
    std::string large(512 * 1024, ' ');
    std::generate(large.begin(), large.end(), [&] { return static_cast<char>(random.between(0, 255)); });
    for (const auto& value : {std::string{}, std::string{"a\0b", 3}, std::string{"ä\r\n\xff"}, large}) {
      const auto made = take(ledger->create("job/v", value));
      REQUIRE(made);
      const auto found = take(ledger->read("job/v"));
      REQUIRE(found);
      CHECK(found->value == value);
      REQUIRE(take(ledger->remove("job/v", *made)));
    }
  });
}

TEST_CASE("of many that swap at once each wins as often as it is told") {
  on_all_backends([](const test::backend& on) {
    constexpr int threads = 4;
    constexpr int rounds = 15;
    REQUIRE(take(open(on).ledger->create("job/n", "0")));
    std::vector<std::thread> running;
    std::atomic<int> failures{0};
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&, ledger = open(on).ledger] {
        for (int won = 0; won < rounds;) {
          const auto seen = ledger->read("job/n");
          if (!seen || !*seen) {
            ++failures;
            return;
          }
          const auto next = std::to_string(std::stoi((*seen)->value) + 1);
          const auto swapped = ledger->replace("job/n", next, (*seen)->version);
          if (!swapped) {
            ++failures;
            return;
          }
          if (*swapped) ++won;
        }
      });
    }
    for (auto& thread : running) thread.join();
    CHECK(failures == 0);
    CHECK(take(open(on).ledger->read("job/n"))->value == std::to_string(threads * rounds));
  });
}
