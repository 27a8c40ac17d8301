#include <algorithm>
#include <random>

#include "actors/batcher.hpp"
#include "tests/catch.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using actors::batch_former;
using actors::tensor_ring;

namespace {

constexpr std::array<std::int64_t, 4> item{1, 3, 2, 2};
constexpr core::time_point start{};

struct world {
  std::shared_ptr<tensor_ring> ring;
  batch_former former;
  std::uint32_t next_ordinal = 0;

  world(std::size_t capacity, std::size_t instances, std::size_t ahead)
      : ring{std::make_shared<tensor_ring>(item, core::element_type::f32, capacity, instances + ahead)},
        former{{4ms, ring, {}, {}, {}}, instances} {}

  actors::filled_slot fill() {
    actors::filled_slot slot;
    slot.slot = ring->acquire();
    slot.id.ordinal = next_ordinal++;
    return slot;
  }
};

} // namespace

TEST_CASE("a full batch runs at once, a partial one after its first image has waited", "[actors]") {
  world w{2, 1, 2};
  w.former.add(w.fill(), start);
  CHECK_FALSE(w.former.next(start).has_value());
  CHECK(w.former.deadline() == start + 4ms);
  w.former.add(w.fill(), start + 1ms);
  auto full = w.former.next(start + 1ms);
  REQUIRE(full.has_value());
  CHECK(full->items.size() == 2);
  w.former.done({full->instance, full->batch});

  w.former.add(w.fill(), start + 10ms);
  CHECK_FALSE(w.former.next(start + 13ms).has_value());
  const auto partial = w.former.next(start + 14ms);
  REQUIRE(partial.has_value());
  CHECK(partial->items.size() == 1);
}

TEST_CASE("while every instance is busy, batches go on filling instead of leaving half empty", "[actors]") {
  world w{4, 1, 2};
  w.former.add(w.fill(), start);
  const auto running = w.former.next(start + 4ms);
  REQUIRE(running.has_value());
  for (int i = 0; i < 3; ++i) w.former.add(w.fill(), start + 5ms);
  CHECK_FALSE(w.former.next(start + 60ms).has_value());
  CHECK_FALSE(w.former.deadline().has_value());
  w.former.done({running->instance, running->batch});
  const auto next = w.former.next(start + 60ms);
  REQUIRE(next.has_value());
  CHECK(next->items.size() == 3);
}

TEST_CASE("a batch sealed early waits for the slots that are still being written", "[actors]") {
  world w{4, 1, 2};
  const auto late = w.fill();
  const auto early = w.fill();
  w.former.add(early, start);
  CHECK_FALSE(w.former.next(start + 5ms).has_value());
  const auto other = w.fill();
  CHECK(other.slot.batch != early.slot.batch);
  w.former.add(late, start + 6ms);
  const auto task = w.former.next(start + 6ms);
  REQUIRE(task.has_value());
  REQUIRE(task->items.size() == 2);
  CHECK(task->items[0].id.ordinal == 0);
  CHECK(task->items[1].id.ordinal == 1);
}

TEST_CASE("the credit of an image is free when its batch starts", "[actors]") {
  world w{1, 1, 2};
  const auto pool = std::make_shared<actors::credit_pool>(1, metrics::gauge{});
  auto slot = w.fill();
  slot.credit = pool->take({}, [](const actors::credit&) {});
  w.former.add(slot, start);
  slot = {};
  CHECK(pool->available() == 0);
  REQUIRE(w.former.next(start).has_value());
  CHECK(pool->available() == 1);
}

TEST_CASE("images gather only while decoders keep every core busy and may go on, and live ones never", "[actors]") {
  const auto decoders = std::make_shared<actors::busy_decoders>();
  const auto credits = std::make_shared<actors::credit_pool>(1, metrics::gauge{});
  world w{1, 1, 2};
  w.former = batch_former{{4ms, w.ring, {}, {}, {2, decoders, credits, 250ms}}, 1};
  CHECK_FALSE(w.former.gathering(start));
  auto image = w.fill();
  w.former.add(image, start);
  actors::busy_mark one{decoders};
  one.set(true);
  CHECK_FALSE(w.former.gathering(start)); // a core is free for the engine
  {
    actors::busy_mark other{decoders};
    other.set(true);
    CHECK(w.former.gathering(start));
    CHECK(w.former.gathering(start + 249ms));
    CHECK_FALSE(w.former.gathering(start + 250ms)); // long enough
    const auto last = credits->take({}, [](const actors::credit&) {});
    CHECK_FALSE(w.former.gathering(start)); // decode cannot go on
  }
  CHECK(decoders->count() == 1); // a decode actor that went away is not counted

  actors::busy_mark other{decoders};
  other.set(true);
  CHECK(w.former.gathering(start));
  image = w.fill();
  image.live = true;
  w.former.add(image, start);
  CHECK_FALSE(w.former.gathering(start));
}

TEST_CASE("within its credit the ring always has a slot, whatever the order of events", "[actors]") {
  const auto seed = GENERATE(range(0U, 40U));
  std::mt19937 rng{seed};
  const std::size_t capacity = 1 + rng() % 5;
  const std::size_t instances = 1 + rng() % 3;
  const std::size_t ahead = 2 + rng() % 3;
  world w{capacity, instances, ahead};
  const auto pool = std::make_shared<actors::credit_pool>(capacity * ahead, metrics::gauge{});
  std::vector<actors::filled_slot> writing;
  std::vector<actors::batch_task> running;
  std::size_t ran = 0;
  auto now = start;
  for (int step = 0; step < 2000; ++step) {
    now += std::chrono::microseconds{rng() % 1000};
    switch (rng() % 3) {
    case 0:
      if (pool->available() > 0) {
        auto credit = pool->take({}, [](const actors::credit&) {});
        writing.push_back(w.fill());
        writing.back().credit = std::move(credit);
      }
      break;
    case 1:
      if (!writing.empty()) {
        const auto at = writing.begin() + static_cast<std::ptrdiff_t>(rng() % writing.size());
        w.former.add(*at, now);
        writing.erase(at);
      }
      break;
    default:
      if (!running.empty()) {
        const auto at = running.begin() + static_cast<std::ptrdiff_t>(rng() % running.size());
        w.former.done({at->instance, at->batch});
        running.erase(at);
      }
    }
    while (auto task = w.former.next(now)) {
      ran += task->items.size();
      running.push_back(std::move(*task));
      REQUIRE(running.size() <= instances);
    }
  }
  CHECK(ran > 300);
}

TEST_CASE("images that were called off are left out of their batch, and a batch of such ones is not run", "[actors]") {
  world w{3, 1, 2};
  const auto gone = std::make_shared<actors::lease_mark>();
  gone->called_off = true;
  const auto add = [&](float value, bool wanted) {
    auto slot = w.fill();
    static_cast<float*>(slot.slot.batch->slot(slot.slot.index).data)[0] = value;
    if (!wanted) slot.mark = gone;
    w.former.add(slot, start);
  };
  for (int i = 0; i < 3; ++i) add(0, false);
  CHECK_FALSE(w.former.next(start).has_value());
  add(1, true);
  add(2, false);
  add(3, true);
  const auto batch = w.former.next(start); // the instance and the memory of the other one are free
  REQUIRE(batch.has_value());
  REQUIRE(batch->items.size() == 2);
  CHECK(batch->items[0].id.ordinal == 3);
  CHECK(batch->items[1].id.ordinal == 5);
  const auto* second = static_cast<const float*>(batch->batch->slot(1).data);
  CHECK(second[0] == 3);
}
