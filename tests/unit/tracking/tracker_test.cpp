#include "tracking/tracker.hpp"

#include <cmath>
#include <random>
#include <set>

#include "tests/catch.hpp"

namespace {

using namespace penstock;
using namespace std::chrono_literals;
using tracking::tracking_config;

constexpr auto frame = 40ms;

std::unique_ptr<tracking::tracker> make(const std::string& kind, int max_age = 30, int min_hits = 1) {
  tracking_config config;
  config.kind = kind;
  config.max_age = max_age;
  config.min_hits = min_hits;
  return tracking::make_tracker(config).value();
}

core::detection object(double x, double y = 0, std::int32_t class_index = 0) {
  return {class_index, 0.9F, core::box{static_cast<float>(x), static_cast<float>(y), 40, 80}};
}

/// Ids after an update with these objects at frame `n`.
std::vector<std::int64_t> update(tracking::tracker& t, int n, std::vector<core::detection> objects) {
  t.update(n * frame, objects);
  std::vector<std::int64_t> ids;
  for (const auto& o : objects) ids.push_back(o.track);
  return ids;
}

using ids = std::vector<std::int64_t>;

} // namespace

TEST_CASE("no tracker leaves no track behind") {
  auto t = make("none");
  std::vector<core::detection> objects{object(0)};
  objects[0].track = 7;
  t->update(0ms, objects);
  CHECK(objects[0].track == core::no_track);
}

TEST_CASE("objects that move keep their ids, whatever order they come in") {
  for (const auto* kind : {"iou", "sort"}) {
    INFO(kind);
    auto t = make(kind);
    for (int n = 0; n < 60; ++n) {
      const auto a = object(3 * n);
      const auto b = object(600 - 4 * n, 200);
      if (n % 2 == 0) {
        CHECK(update(*t, n, {a, b}) == ids{1, 2});
      } else {
        CHECK(update(*t, n, {b, a}) == ids{2, 1});
      }
    }
  }
}

TEST_CASE("two objects that cross keep their ids under sort") {
  auto t = make("sort");
  for (int n = 0; n < 60; ++n) {
    // they meet at n = 30, when each covers half of the other's height
    const auto found = update(*t, n, {object(6 * n), object(360 - 6 * n, 20)});
    CHECK(found == ids{1, 2});
  }
}

TEST_CASE("an object that was hidden for no longer than max_age comes back with its id") {
  auto t = make("iou", 5);
  CHECK(update(*t, 0, {object(0)}) == ids{1});
  for (int n = 1; n <= 5; ++n) CHECK(update(*t, n, {}).empty());
  CHECK(update(*t, 6, {object(0)}) == ids{1});
  for (int n = 7; n <= 12; ++n) update(*t, n, {});
  CHECK(update(*t, 13, {object(0)}) == ids{2});
}

TEST_CASE("sort follows an object behind an obstacle, iou loses it") {
  auto sort = make("sort", 10);
  auto iou = make("iou", 10);
  for (int n = 0; n < 20; ++n) {
    CHECK(update(*sort, n, {object(10 * n)}) == ids{1});
    CHECK(update(*iou, n, {object(10 * n)}) == ids{1});
  }
  for (int n = 20; n < 29; ++n) {
    update(*sort, n, {});
    update(*iou, n, {});
  }
  CHECK(update(*sort, 29, {object(290)}) == ids{1});
  CHECK(update(*iou, 29, {object(290)}) == ids{2});
}

TEST_CASE("frames left out are bridged by their time stamps") {
  auto t = make("sort", 0);
  for (int n = 0; n < 20; ++n) CHECK(update(*t, n, {object(10 * n)}) == ids{1});
  // eight frames were dropped: without their time the object would be 80 px from where it is expected
  CHECK(update(*t, 28, {object(280)}) == ids{1});
}

TEST_CASE("an object gets its id at min_hits sightings, a flicker gets none") {
  for (const auto* kind : {"iou", "sort"}) {
    INFO(kind);
    auto t = make(kind, 30, 3);
    CHECK(update(*t, 0, {object(0), object(500)}) == ids{-1, -1});
    CHECK(update(*t, 1, {object(0)}) == ids{-1});
    CHECK(update(*t, 2, {object(0), object(500)}) == ids{1, -1});
    CHECK(update(*t, 3, {object(500), object(0)}) == ids{-1, 1});
    CHECK(update(*t, 4, {object(500), object(0)}) == ids{2, 1});
    // once it has an id, one sighting is enough
    update(*t, 5, {});
    CHECK(update(*t, 6, {object(0)}) == ids{1});
  }
}

TEST_CASE("classes are tracked apart") {
  for (const auto* kind : {"iou", "sort"}) {
    INFO(kind);
    auto t = make(kind);
    CHECK(update(*t, 0, {object(0, 0, 1), object(0, 0, 2)}) == ids{1, 2});
    CHECK(update(*t, 1, {object(1, 0, 2), object(1, 0, 1)}) == ids{2, 1});
    CHECK(update(*t, 2, {object(1, 0, 3)}) == ids{3});
  }
}

TEST_CASE("an id is given to one object a frame and never to another track") {
  for (const auto* kind : {"iou", "sort"}) {
    INFO(kind);
    std::mt19937 random{5};
    auto t = make(kind, 2, 1);
    std::int64_t highest = 0;
    std::vector<int> last_seen(100'000, -1);
    for (int n = 0; n < 400; ++n) {
      std::vector<core::detection> objects;
      for (auto k = random() % 8; k > 0; --k)
        objects.push_back(object(static_cast<double>(random() % 300), static_cast<double>(random() % 100),
                                 static_cast<std::int32_t>(random() % 2)));
      const auto found = update(*t, n, objects);
      CHECK(std::set<std::int64_t>(found.begin(), found.end()).size() == found.size());
      for (const auto id : found) {
        REQUIRE(id >= 1);
        auto& seen = last_seen[static_cast<std::size_t>(id)];
        // either the next new id, or one seen within max_age
        if (id > highest) {
          CHECK(id == highest + 1);
          highest = id;
        } else {
          CHECK(n - seen <= 3);
        }
        seen = n;
      }
    }
    CHECK(highest > 50);
  }
}

TEST_CASE("senseless boxes do no harm") {
  for (const auto* kind : {"iou", "sort"}) {
    auto t = make(kind);
    for (int n = 0; n < 5; ++n) {
      auto empty = object(0);
      empty.box = {0, 0, 0, 0};
      auto nan = object(0);
      nan.box.x = std::nanf("");
      const auto found = update(*t, n, {object(200), empty, nan});
      CHECK(found[0] == 1);
    }
  }
}

TEST_CASE("a wrong tracking configuration says key, value and what is allowed") {
  const auto message = [](const tracking_config& c) {
    const auto made = tracking::make_tracker(c);
    REQUIRE(!made);
    CHECK(made.error().code == core::errc::bad_config);
    return made.error().message;
  };
  tracking_config c;
  c.kind = "bytetrack";
  CHECK(message(c) == "tracking: kind: bytetrack: must be one of none, iou, sort");
  c = {};
  c.min_iou = 0;
  CHECK(message(c).find("min_iou") != std::string::npos);
  c = {};
  c.max_age = -1;
  CHECK(message(c) == "tracking: max_age: -1: must be at least 0");
  c = {};
  c.min_hits = 0;
  CHECK(message(c) == "tracking: min_hits: 0: must be at least 1");
}
