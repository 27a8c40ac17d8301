#include "dispatch/stream_table.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "tests/catch.hpp"
#include "tests/simulation/random.hpp"

using namespace penstock;
using dispatch::stream_table;

namespace {

std::vector<int> items(const stream_table<int>& table) {
  std::vector<int> found;
  table.for_each([&](const int& item) { found.push_back(item); });
  return found;
}

} // namespace

TEST_CASE("a table of streams holds what was added and not erased, wherever its ids lie") {
  test::random rng{1};
  stream_table<int> table;
  std::map<std::uint32_t, int> model;
  for (int i = 0; i < 20'000; ++i) {
    const auto id = static_cast<std::uint32_t>(rng.between(0, 300)) * 14'000'000U;
    if (rng.chance(0.5)) {
      table.erase({id});
      model.erase(id);
    } else if (!model.contains(id)) {
      table.add({id}, i);
      model[id] = i;
    }
    REQUIRE(table.size() == model.size());
    const auto* found = table.find({id});
    REQUIRE((found ? std::optional{*found} : std::nullopt) ==
            (model.contains(id) ? std::optional{model[id]} : std::nullopt));
  }
  auto all = items(table);
  std::sort(all.begin(), all.end());
  std::vector<int> expected;
  for (const auto& [_, item] : model) expected.push_back(item);
  std::sort(expected.begin(), expected.end());
  CHECK(all == expected);
}

TEST_CASE("the order of streams depends on the calls alone") {
  const auto order = [] {
    stream_table<int> table;
    for (std::uint32_t id = 0; id < 1000; ++id) table.add({id * 7919}, static_cast<int>(id));
    for (std::uint32_t id = 0; id < 1000; id += 3) table.erase({id * 7919});
    return items(table);
  };
  CHECK(order() == order());
}

TEST_CASE("streams that went leave no memory behind, and references hold while others come and go") {
  stream_table<int> table;
  const auto& kept = table.add({UINT32_MAX}, 42);
  std::uint32_t next = 0;
  for (; next < 100'000; ++next) table.add({next}, 0);
  for (std::uint32_t id = 0; id < next; ++id) table.erase({id});
  CHECK(table.size() == 1);
  CHECK(table.capacity() <= 64);
  for (; next < 1'000'000; ++next) {
    table.add({next}, 0);
    table.erase({next});
  }
  CHECK(table.capacity() <= 64);
  CHECK(&kept == table.find({UINT32_MAX}));
  CHECK(kept == 42);
}
