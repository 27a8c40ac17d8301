#include <algorithm>

#include "tests/simulation/random.hpp"
#include "tests/unit/jobs/backends.hpp"

using namespace penstock;
using test::bytes_of;
using test::on_all_backends;
using test::take;

namespace {

std::string text_of(jobs::blobs& store, std::string_view name) { return take(get_blob(store, name, 64 << 20)); }

std::string noise(std::uint64_t seed, std::size_t bytes) {
  test::random random{seed};
  std::string out(bytes, ' ');
  std::generate(out.begin(), out.end(), [&] { return static_cast<char>(random.between(0, 255)); });
  return out;
}

} // namespace

TEST_CASE("a blob is seen when it is published, whole, and not before") {
  on_all_backends([](const test::backend& on) {
    const auto store = open(on).blobs;
    auto writer = take(store->create("a/input"));
    take(writer->write(bytes_of("one ")));
    take(writer->write(bytes_of("two")));
    CHECK_FALSE(take(store->stat("a/input")));
    CHECK(take(store->list("", "", 10)).blobs.empty());
    CHECK(store->open("a/input").error().code == core::errc::not_found);
    CHECK(take(writer->publish()) == jobs::publication::created);
    CHECK(text_of(*store, "a/input") == "one two");
    const auto info = take(open(on).blobs->stat("a/input"));
    REQUIRE(info);
    CHECK(info->name == "a/input");
    CHECK(info->bytes == 7);
    const auto age = jobs::system_clock()() - info->modified;
    CHECK(age < std::chrono::minutes{1});
    CHECK(age > -std::chrono::minutes{1});
  });
}

TEST_CASE("a blob of a name is published once, and later ones leave it as it is") {
  on_all_backends([](const test::backend& on) {
    const auto store = open(on).blobs;
    auto late = take(store->create("a/result"));
    take(late->write(bytes_of("late")));
    CHECK(take(put_blob(*open(on).blobs, "a/result", bytes_of("first"))) == jobs::publication::created);
    CHECK(take(late->publish()) == jobs::publication::existed);
    CHECK(take(put_blob(*store, "a/result", bytes_of("again"))) == jobs::publication::existed);
    CHECK(text_of(*store, "a/result") == "first");
    CHECK(take(put_blob(*store, "a/empty", {})) == jobs::publication::created);
    CHECK(take(put_blob(*store, "a/empty", bytes_of("x"))) == jobs::publication::existed);
    CHECK(text_of(*store, "a/empty").empty());
  });
}

TEST_CASE("a blob that is not published leaves nothing") {
  on_all_backends([](const test::backend& on) {
    const auto store = open(on).blobs;
    {
      auto writer = take(store->create("a/input"));
      take(writer->write(bytes_of(noise(3, 100'000))));
    }
    CHECK_FALSE(take(store->stat("a/input")));
    CHECK(take(store->sweep_unpublished(jobs::wall_time::max())) == 0);
  });
}

TEST_CASE("a blob of many megabytes passes in pieces, and ranges of it come back exactly") {
  on_all_backends([](const test::backend& on) {
    const auto store = open(on).blobs;
    const auto content = noise(5, 19'000'003);
    auto writer = take(store->create("b/input"));
    test::random random{11};
    for (std::string_view left = content; !left.empty();) {
      const auto n = std::min(left.size(), static_cast<std::size_t>(random.between(1, 3'000'000)));
      take(writer->write(bytes_of(left.substr(0, n))));
      left.remove_prefix(n);
    }
    REQUIRE(take(writer->publish()) == jobs::publication::created);
    CHECK(text_of(*store, "b/input") == content);
    const auto size = content.size();
    const std::vector<std::pair<std::uint64_t, std::optional<std::uint64_t>>> ranges{
        {0, 1}, {1, 5},         {size - 4, std::nullopt}, {size - 4, 100}, {size, 1}, {size + 9, std::nullopt},
        {7, 0}, {4'194'300, 10}};
    for (const auto& [offset, length] : ranges) {
      auto reader = take(store->open("b/input", offset, length));
      CHECK(reader->blob_bytes() == size);
      std::string got;
      std::array<std::byte, 37> piece{};
      while (const auto n = take(reader->read(piece))) {
        for (std::size_t i = 0; i < n; ++i) got += static_cast<char>(piece[i]);
      }
      const auto at = std::min<std::size_t>(offset, size);
      CHECK(got == content.substr(at, length.value_or(size)));
    }
    auto early = take(store->open("b/input")); // may be dropped before its end
    std::array<std::byte, 10> some{};
    CHECK(take(early->read(some)) > 0);
  });
}

TEST_CASE("blobs are listed in the order of their names, and removed") {
  on_all_backends([](const test::backend& on) {
    const auto store = open(on).blobs;
    const std::vector<std::string> names{"a-b/x", "a/input", "a/parts/1", "a/parts/2", "a/result", "a.txt", "b/result"};
    for (const auto& name : names) REQUIRE(take(put_blob(*store, name, bytes_of(name))) == jobs::publication::created);
    auto sorted = names;
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::string> found;
    std::string after;
    while (true) {
      const auto page = take(store->list("", after, 2));
      for (const auto& blob : page.blobs) {
        found.push_back(blob.name);
        CHECK(blob.bytes == blob.name.size());
      }
      if (page.last) break;
      REQUIRE(page.blobs.size() == 2);
      after = page.blobs.back().name;
    }
    CHECK(found == sorted);
    const auto below = take(store->list("a/", "a/input", 10));
    REQUIRE(below.blobs.size() == 3);
    CHECK(below.blobs.front().name == "a/parts/1");
    CHECK(take(store->list("a/parts", "", 10)).blobs.size() == 2);
    CHECK(take(store->remove("a/parts/1")));
    CHECK_FALSE(take(store->remove("a/parts/1")));
    CHECK_FALSE(take(store->stat("a/parts/1")));
    CHECK_FALSE(take(store->stat("a")));
    for (const auto& name : sorted) static_cast<void>(take(store->remove(name)));
    CHECK(take(store->list("", "", 10)).blobs.empty());
  });
}

TEST_CASE("names that are none of a blob are refused everywhere") {
  on_all_backends([](const test::backend& on) {
    const auto store = open(on).blobs;
    for (const auto& name :
         {std::string{}, std::string{"/a"}, std::string{"a/"}, std::string{"a//b"}, std::string{".."},
          std::string{"a/../b"}, std::string{"./a"}, std::string{".new/x"}, std::string{"a b"}, std::string{"a\0b", 3},
          std::string{"a\\b"}, std::string{"ä"}, std::string{"a%2fb"}, std::string{"a?b"}, std::string(201, 'a')}) {
      INFO(name);
      CHECK(store->create(name).error().code == core::errc::invalid_argument);
      CHECK(store->open(name).error().code == core::errc::invalid_argument);
      CHECK(store->stat(name).error().code == core::errc::invalid_argument);
      CHECK(store->remove(name).error().code == core::errc::invalid_argument);
    }
    CHECK(jobs::is_blob_name(std::string(200, 'a')));
    CHECK(jobs::is_blob_name("a/b..c/d-e_f.G0"));
  });
}
