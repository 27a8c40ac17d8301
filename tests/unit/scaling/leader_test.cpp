#include "scaling/leader.hpp"

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/catch.hpp"

using namespace std::chrono_literals;
using namespace penstock;

namespace {

/// A ledger in memory, whose answers may get lost before or after the write.
class small_ledger final : public jobs::ledger {
 public:
  enum class fault { none, not_made, answer_lost };

  core::expected<std::optional<std::string>> create(std::string_view key, std::string_view value) override {
    return write(key, value, [&] { return !entries.contains(std::string{key}); });
  }
  core::expected<std::optional<jobs::entry>> read(std::string_view key) override {
    if (next == fault::not_made) return away();
    const auto at = entries.find(std::string{key});
    return at == entries.end() ? std::nullopt : std::optional{at->second};
  }
  core::expected<std::optional<std::string>> replace(std::string_view key, std::string_view value,
                                                     std::string_view version) override {
    return write(key, value, [&] {
      const auto at = entries.find(std::string{key});
      return at != entries.end() && at->second.version == version;
    });
  }
  core::expected<bool> remove(std::string_view key, std::string_view version) override {
    if (next == fault::not_made) return away();
    const auto at = entries.find(std::string{key});
    if (at == entries.end() || at->second.version != version) return false;
    entries.erase(at);
    return true;
  }
  core::expected<jobs::entry_page> list(std::string_view, std::string_view, std::size_t) override {
    return jobs::entry_page{};
  }

  std::map<std::string, jobs::entry> entries;
  fault next = fault::none; ///< of every call, until it is changed

 private:
  static tl::unexpected<core::error> away() { return core::fail(core::errc::unavailable, "the ledger is away"); }

  template <class May>
  core::expected<std::optional<std::string>> write(std::string_view key, std::string_view value, May may) {
    if (next == fault::not_made) return away();
    if (!may()) return std::nullopt;
    const auto version = std::to_string(++versions_);
    entries[std::string{key}] = {std::string{key}, std::string{value}, version};
    if (next == fault::answer_lost) return away();
    return version;
  }

  int versions_ = 0;
};

constexpr core::seconds lease{60};
const core::time_point start{1h};

scaling::leader leader_of(const std::shared_ptr<small_ledger>& store, const std::string& name) {
  return {store, "fleet/worker", name, "token of " + name, lease};
}

bool renew(scaling::leader& who, core::time_point now) {
  const auto done = who.renew(now);
  REQUIRE(done);
  CHECK(*done == who.leads(now));
  return *done;
}

} // namespace

TEST_CASE("the first one leads, the others wait and know who does", "[scaling][leader]") {
  const auto store = std::make_shared<small_ledger>();
  auto a = leader_of(store, "a");
  auto b = leader_of(store, "b");
  for (int i = 0; i < 20; ++i) {
    CHECK(renew(a, start + i * 15s));
    CHECK_FALSE(renew(b, start + i * 15s + 1s));
  }
  CHECK(b.who() == "a");
  CHECK(a.who() == "a");
  const auto& [key, entry] = *store->entries.begin();
  CHECK(key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789/") == std::string::npos);
}

TEST_CASE("another one takes over a lease after it saw the last sign of life, and not earlier", "[scaling][leader]") {
  const auto store = std::make_shared<small_ledger>();
  auto a = leader_of(store, "a");
  auto b = leader_of(store, "b");
  CHECK(renew(a, start));
  CHECK_FALSE(renew(b, start + 40s)); // sees it now
  CHECK_FALSE(renew(b, start + 99s));
  CHECK_FALSE(a.leads(start + 45s)); // long before
  CHECK(renew(b, start + 100s));
  CHECK_FALSE(renew(a, start + 101s));
  CHECK(a.who() == "b");
}

TEST_CASE("one that resigns is followed at once", "[scaling][leader]") {
  const auto store = std::make_shared<small_ledger>();
  auto a = leader_of(store, "a");
  auto b = leader_of(store, "b");
  CHECK(renew(a, start));
  CHECK_FALSE(renew(b, start + 1s));
  REQUIRE(a.resign());
  CHECK_FALSE(a.leads(start + 1s));
  CHECK(renew(b, start + 2s));
}

TEST_CASE("a write whose answer got lost is recognised as one's own", "[scaling][leader]") {
  const auto store = std::make_shared<small_ledger>();
  auto a = leader_of(store, "a");
  store->next = small_ledger::fault::answer_lost;
  CHECK_FALSE(a.renew(start));
  store->next = small_ledger::fault::none;
  CHECK(renew(a, start + 1s));
  store->next = small_ledger::fault::answer_lost;
  CHECK_FALSE(a.renew(start + 10s));
  CHECK(a.leads(start + 10s));
  store->next = small_ledger::fault::none;
  CHECK(renew(a, start + 20s));
}

TEST_CASE("while the ledger is away one leads until the lease is over, and no longer", "[scaling][leader]") {
  const auto store = std::make_shared<small_ledger>();
  auto a = leader_of(store, "a");
  CHECK(renew(a, start));
  store->next = small_ledger::fault::not_made;
  CHECK_FALSE(a.renew(start + 30s));
  CHECK(a.leads(start + 44s));
  CHECK_FALSE(a.leads(start + 45s));
}

TEST_CASE("what somebody else wrote under the key is told and left alone", "[scaling][leader]") {
  const auto store = std::make_shared<small_ledger>();
  auto a = leader_of(store, "a");
  CHECK(renew(a, start));
  REQUIRE(a.resign());
  store->next = small_ledger::fault::none;
  CHECK(renew(a, start + 1s));
  for (auto& [key, entry] : store->entries) entry.value = "{}";
  auto b = leader_of(store, "b");
  const auto seen = b.renew(start + 2s);
  REQUIRE_FALSE(seen);
  CHECK(seen.error().code == core::errc::corrupt);
}

TEST_CASE("never do two lead at the same time, whatever fails and whoever pauses", "[scaling][leader]") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    std::minstd_rand draws{seed};
    const auto chance = [&](unsigned percent) { return draws() % 100 < percent; };
    const auto store = std::make_shared<small_ledger>();
    std::vector<scaling::leader> all;
    for (int i = 0; i < 3; ++i) all.push_back(leader_of(store, std::string(1, static_cast<char>('a' + i))));
    auto now = start;
    int led = 0;
    for (int step = 0; step < 400; ++step) {
      now += std::chrono::milliseconds{draws() % 20'000};
      auto& who = all[draws() % all.size()];
      store->next = chance(10)   ? small_ledger::fault::not_made
                    : chance(10) ? small_ledger::fault::answer_lost
                                 : small_ledger::fault::none;
      if (chance(3))
        static_cast<void>(who.resign());
      else
        static_cast<void>(who.renew(now));
      const auto leading = std::count_if(all.begin(), all.end(), [&](const auto& each) { return each.leads(now); });
      REQUIRE(leading <= 1);
      led += static_cast<int>(leading);
    }
    CHECK(led > 40); // it is of use, too
  }
}
