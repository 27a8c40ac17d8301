#include "actors/device_batcher.hpp"
#include "tests/catch.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using actors::lane_feeder;

namespace {

constexpr core::time_point start{};

actors::frame_task frame(std::uint32_t ordinal) {
  actors::frame_task task;
  task.id.ordinal = ordinal;
  return task;
}

std::vector<std::uint32_t> ordinals(const actors::device_batch& batch) {
  std::vector<std::uint32_t> all;
  for (const auto& task : batch.tasks) all.push_back(task.id.ordinal);
  return all;
}

lane_feeder feeder(std::size_t batch, std::size_t lanes) { return {{batch, 4ms, {}, {}, {}}, lanes}; }

} // namespace

TEST_CASE("a full batch goes to an idle lane at once, a partial one after its first frame has waited", "[actors]") {
  auto f = feeder(2, 2);
  f.add(frame(0), start);
  CHECK_FALSE(f.next(start + 3ms));
  CHECK(f.deadline() == start + 4ms);
  f.add(frame(1), start + 3ms);
  f.add(frame(2), start + 3ms);
  const auto full = f.next(start + 3ms);
  REQUIRE(full);
  CHECK(ordinals(*full) == std::vector<std::uint32_t>{0, 1});
  CHECK_FALSE(f.next(start + 6ms));
  CHECK(f.deadline() == start + 7ms);
  const auto partial = f.next(start + 7ms);
  REQUIRE(partial);
  CHECK(ordinals(*partial) == std::vector<std::uint32_t>{2});
  CHECK(partial->lane != full->lane);
  CHECK_FALSE(f.deadline());
}

TEST_CASE("while every lane is busy frames gather into full batches", "[actors]") {
  auto f = feeder(4, 1);
  f.add(frame(0), start);
  const auto first = f.next(start + 4ms);
  REQUIRE(first);
  for (std::uint32_t i = 1; i < 6; ++i) f.add(frame(i), start + 5ms);
  CHECK_FALSE(f.next(start + 60ms));
  CHECK_FALSE(f.deadline());
  f.idle(first->lane);
  const auto second = f.next(start + 60ms);
  REQUIRE(second);
  CHECK(ordinals(*second) == std::vector<std::uint32_t>{1, 2, 3, 4});
  f.idle(second->lane);
  const auto third = f.next(start + 60ms);
  REQUIRE(third);
  CHECK(ordinals(*third) == std::vector<std::uint32_t>{5});
}

TEST_CASE("frames that were called off are left out", "[actors]") {
  auto f = feeder(2, 1);
  const auto gone = std::make_shared<actors::lease_mark>();
  auto unwanted = frame(0);
  unwanted.mark = gone;
  f.add(unwanted, start);
  gone->called_off = true;
  f.add(frame(1), start);
  CHECK_FALSE(f.next(start));
  f.add(frame(2), start);
  const auto batch = f.next(start);
  REQUIRE(batch);
  CHECK(ordinals(*batch) == std::vector<std::uint32_t>{1, 2});
}
