#include "actors/tensor_ring.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/catch.hpp"

using namespace penstock;
using actors::tensor_ring;

namespace {

constexpr std::array<std::int64_t, 4> item{1, 3, 2, 2};

} // namespace

TEST_CASE("slots of one batch lie side by side, in the order in which they are taken", "[actors]") {
  tensor_ring ring{item, core::element_type::f32, 3, 2};
  const auto a = ring.acquire();
  const auto b = ring.acquire();
  REQUIRE(a.batch == b.batch);
  CHECK(a.index == 0);
  CHECK(b.index == 1);
  const auto* first = static_cast<const float*>(a.batch->slot(0).data);
  const auto* second = static_cast<const float*>(b.batch->slot(1).data);
  CHECK(second - first == 12);
  CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  const auto images = a.batch->images(2);
  CHECK(images.data == first);
  CHECK(std::vector<std::int64_t>(images.shape.begin(), images.shape.end()) == std::vector<std::int64_t>{2, 3, 2, 2});
}

TEST_CASE("a full batch closes itself, a sealed one closes early, and both come back by release", "[actors]") {
  tensor_ring ring{item, core::element_type::f32, 2, 2};
  const auto full = ring.acquire().batch;
  CHECK(ring.acquire().batch == full);
  CHECK(ring.seal(full) == 2);
  const auto partial = ring.acquire();
  CHECK(partial.batch != full);
  CHECK(ring.seal(partial.batch) == 1);
  CHECK_THROWS_AS(ring.acquire(), std::logic_error);
  ring.release(full);
  CHECK(ring.acquire().batch == full);
}

TEST_CASE("threads that take slots at the same time never get the same one", "[actors]") {
  constexpr std::size_t threads = 4;
  constexpr std::size_t each = 250;
  tensor_ring ring{item, core::element_type::u8, 10, threads * each / 10};
  std::vector<std::vector<const void*>> taken(threads);
  {
    std::vector<std::jthread> workers;
    for (auto& mine : taken) {
      workers.emplace_back([&ring, &mine] {
        for (std::size_t i = 0; i < each; ++i) {
          const auto slot = ring.acquire();
          mine.push_back(slot.batch->slot(slot.index).data);
        }
      });
    }
  }
  std::set<const void*> all;
  for (const auto& mine : taken) all.insert(mine.begin(), mine.end());
  CHECK(all.size() == threads * each);
}
