#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "kernels/decode_suppress.hpp"
#include "kernels/nms.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kernels/host_block.hpp"

namespace {

using namespace penstock;
using namespace penstock::kernels::decoding;
using block_t = tests::host_block<item_lanes>;

const kernels::geometry frame = kernels::map(kernels::fit::letterbox, 640, 480, 64, 64);

/// How scores are distributed over candidates.
enum class scores { few_levels, one_level, random, close };

std::vector<core::detection> random_candidates(std::size_t n, scores kind, float spread, int classes, unsigned seed) {
  std::mt19937 random{seed};
  const auto unit = [&] { return static_cast<float>(random() % (1U << 20U)) / (1U << 20U); };
  std::vector<core::detection> all(n);
  for (auto& d : all) {
    d.class_index = static_cast<std::int32_t>(random() % static_cast<unsigned>(classes));
    switch (kind) {
    case scores::few_levels: d.score = 0.25F + static_cast<float>(random() % 4) / 8; break;
    case scores::one_level: d.score = 0.5F; break;
    case scores::random: d.score = 0.25F + 0.75F * unit(); break;
    case scores::close: d.score = 0.5F + static_cast<float>(random() % 64) * 0x1p-24F; break;
    }
    // some lie outside the frame, some have no size
    d.box = {700 * unit() * spread - 30, 520 * unit() * spread - 30, 60 * unit() - 2, 60 * unit() - 2};
  }
  return all;
}

/// What the CPU makes of candidates in source pixels.
std::vector<core::detection> reference(std::vector<core::detection> all, const kernels::object_spec& spec) {
  if (spec.suppress) {
    kernels::nms(all, {spec.score, spec.iou, spec.class_agnostic, spec.max_candidates, spec.max_objects});
  } else {
    std::ranges::stable_sort(all, std::ranges::greater{}, &core::detection::score);
  }
  for (auto& d : all) d.box = frame.clip(d.box);
  std::erase_if(all, [](const core::detection& d) { return !(d.box.w > 0 && d.box.h > 0); });
  if (all.size() > spec.max_objects) all.resize(spec.max_objects);
  return all;
}

std::vector<core::detection> by_block(const std::vector<core::detection>& all, const kernels::object_spec& spec,
                                      unsigned seed) {
  const auto n = static_cast<std::uint32_t>(all.size());
  std::vector<std::uint64_t> keys;
  std::vector<std::int32_t> classes;
  for (std::uint32_t i = 0; i < n; ++i) {
    keys.push_back(key_of(all[i].score, i));
    classes.push_back(all[i].class_index);
  }
  std::ranges::shuffle(keys, std::minstd_rand{seed});
  const auto room = std::min<std::size_t>(spec.max_objects, n);
  std::vector<kept_object> kept(room);
  std::vector<kernels::device_object> objects(room);
  const auto memory = std::make_unique<item_memory>();
  block_t block{seed};
  auto count = n;
  const auto found = decode_candidates(
      block, *memory, spec, {keys.data(), classes.data(), &count}, count, frame,
      [&](std::uint32_t anchor) { return all[anchor].box; }, kept.data(), objects.data());
  std::vector<core::detection> result;
  for (unsigned i = 0; i < found; ++i) {
    const auto& o = objects.at(i);
    result.push_back({o.class_index, o.score, {o.x, o.y, o.w, o.h}});
  }
  return result;
}

} // namespace

TEST_CASE("a block of threads suppresses exactly as the CPU does") {
  for (const auto kind : {scores::few_levels, scores::one_level, scores::random, scores::close}) {
    for (const std::size_t n : {0, 1, 2, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025, 3000}) {
      for (const float spread : {0.02F, 0.3F, 1.0F}) { // nearly all overlap … hardly any
        kernels::object_spec spec;
        spec.anchors = n;
        spec.score = 0;
        spec.class_agnostic = n % 2 == 1;
        spec.max_objects = kind == scores::random ? 100 : 5000;
        const auto seed = static_cast<unsigned>(n) + static_cast<unsigned>(kind);
        const auto all = random_candidates(n, kind, spread, 3, seed);
        INFO(n << " candidates, kind " << static_cast<int>(kind) << ", spread " << spread);
        REQUIRE(by_block(all, spec, seed + 1) == reference(all, spec));
      }
    }
  }
}

TEST_CASE("a block of threads keeps to its limits") {
  const auto all = random_candidates(2500, scores::random, 1, 2, 5);
  for (const std::size_t objects : {0, 1, 64, 65, 300, 512, 513}) {
    for (const std::size_t candidates : {0, 1, 600, 1024, 1500, 30'000}) {
      for (const bool suppress : {true, false}) {
        kernels::object_spec spec;
        spec.anchors = all.size();
        spec.max_objects = objects;
        spec.max_candidates = candidates;
        spec.suppress = suppress;
        INFO(objects << " objects of " << candidates << " candidates");
        REQUIRE(by_block(all, spec, 3) == reference(all, spec));
      }
    }
  }
}

TEST_CASE("more candidates than are looked at give the same objects as on the CPU") {
  for (const auto kind : {scores::random, scores::close}) {
    const auto all = random_candidates(40'000, kind, 1, 80, 9);
    kernels::object_spec spec;
    spec.anchors = all.size();
    spec.max_objects = 1000;
    REQUIRE(by_block(all, spec, 4) == reference(all, spec));
    spec.max_objects = 40'000;
    spec.max_candidates = 3000;
    REQUIRE(by_block(all, spec, 5) == reference(all, spec));
  }
  // all lie on one another: every candidate is looked at, and one remains
  auto all = random_candidates(33'000, scores::random, 1, 1, 9);
  for (auto& d : all) d.box = {10, 10, 50, 50};
  kernels::object_spec spec;
  spec.anchors = all.size();
  const auto found = by_block(all, spec, 6);
  REQUIRE(found.size() == 1);
  REQUIRE(found == reference(all, spec));
}

TEST_CASE("chunks of keys come sorted, each key once, whatever their distribution") {
  std::mt19937_64 random{3};
  for (const int kind : {0, 1, 2, 3}) {
    std::vector<std::uint64_t> keys;
    for (std::uint64_t i = 0; i < 5000; ++i) {
      switch (kind) {
      case 0: keys.push_back(i); break;
      case 1: keys.push_back(~i); break;
      case 2: keys.push_back((random() & ~0xffffULL) | i); break;
      default: keys.push_back(i == 0 ? 0 : (1ULL << (i % 60)) + (i << 48U) % 7 + i); break;
      }
    }
    std::ranges::sort(keys);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    auto shuffled = keys;
    std::ranges::shuffle(shuffled, random);
    const auto memory = std::make_unique<sort_memory>();
    block_t block;
    key_range left{0, ~std::uint64_t{0}};
    const auto count = static_cast<unsigned>(keys.size());
    std::vector<std::uint64_t> given;
    while (given.size() < keys.size()) {
      const auto n =
          next_chunk(block, *memory, shuffled.data(), count, count - static_cast<unsigned>(given.size()), left);
      REQUIRE(n > 0);
      REQUIRE(n <= chunk_keys);
      given.insert(given.end(), memory->keys, memory->keys + n);
    }
    REQUIRE(given == keys);
  }
}

TEST_CASE("keys order candidates by falling scores, then by rising anchors") {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> falling{inf, 3, 1, 0.5F, 0x1p-149F, 0, -0x1p-149F, -1, -inf};
  for (std::size_t i = 0; i < falling.size(); ++i) {
    CHECK(score_of(key_of(falling[i], 7)) == falling[i]);
    CHECK(index_of(key_of(falling[i], 7)) == 7);
    CHECK(key_of(falling[i], 7) < key_of(falling[i], 8));
    if (i > 0) CHECK(key_of(falling[i - 1], 0xffffffffU) < key_of(falling[i], 0));
  }
  CHECK(key_of(-0.0F, 1) == key_of(0.0F, 1));
}

TEST_CASE("the arithmetic of candidates is that of geometry, bit for bit") {
  std::mt19937 random{1};
  const auto number = [&] { return static_cast<float>(static_cast<int>(random() % 20000) - 4000) / 7; };
  for (int i = 0; i < 2000; ++i) {
    const core::box b{number(), number(), number(), number()};
    CHECK(to_source(b, frame) == frame.to_source(b));
    // what negative sizes leave is nothing on both sides
    const auto c = clipped(corners_of(b), frame);
    const auto expected = frame.clip(b);
    CHECK((c.w > 0 && c.h > 0) == (expected.w > 0 && expected.h > 0));
    if (expected.w > 0 && expected.h > 0) CHECK(c == expected);
  }
}
