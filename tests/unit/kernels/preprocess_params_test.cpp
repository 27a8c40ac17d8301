// How a batch of frames becomes launches.
#include "kernels/preprocess_params.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

#include "kernels/preprocess_batch.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kernels/pictures.hpp"

namespace {

using namespace penstock;
using namespace penstock::kernels;
using core::pixel_format;

struct batch {
  std::vector<noise_picture> pictures;
  std::vector<core::frame_view> frames;
  preprocess_spec spec;
  std::array<std::int64_t, 4> shape{};
  std::size_t first = 0;
  alignas(16) std::byte memory[64] = {}; ///< stands for the slots: nothing is written
  std::size_t offset_bytes = 0;

  batch() {
    spec.width_px = 32;
    spec.height_px = 20;
  }

  core::frame_view& add(pixel_format format, int width = 40, int height = 30) {
    pictures.push_back(make_noise(width, height, format, 0, 1));
    frames.push_back(pictures.back().view);
    return frames.back();
  }

  struct launch {
    sampler how;
    std::vector<int> items;
    color_rule colors;
  };

  /// The launches of the frames from `begin` on.
  std::vector<launch> launches(std::size_t begin = 0) {
    shape = {static_cast<std::int64_t>(frames.size() + first), 3, spec.height_px, spec.width_px};
    const preprocess_batch job{spec, frames, {memory + offset_bytes, spec.type, shape}, first};
    const auto made = std::make_unique<preprocess_params>(make_preprocess_params(job, begin));
    slots = made->slots;
    std::vector<launch> all;
    for (auto left = ~std::uint64_t{0} >> (max_frames - made->filled); left != 0;) {
      take_launch(*made, left);
      all.push_back({made->how, {made->items, made->items + made->count}, made->colors});
      for (const auto i : all.back().items) CHECK(made->samplers[i] == made->how);
    }
    return all;
  }

  const std::byte* slots = nullptr;
};

} // namespace

TEST_CASE("frames of one kind are one launch, in order") {
  batch b;
  for (int i = 0; i < 64; ++i) b.add(pixel_format::nv12, 40 + i);
  const auto launches = b.launches();
  REQUIRE(launches.size() == 1);
  CHECK(launches[0].how == sampler::strip_pairs);
  REQUIRE(launches[0].items.size() == 64);
  for (int i = 0; i < 64; ++i) CHECK(launches[0].items[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("frames of several kinds are a launch each, and every frame is in one") {
  batch b;
  b.spec.filter = filter::area;
  for (int i = 0; i < 5; ++i) {
    b.add(pixel_format::nv12, 16, 10); // enlarged: no means
    b.add(pixel_format::i420, 16, 10);
    b.add(pixel_format::rgb24, 16, 10);
    b.add(pixel_format::nv12, 80, 60);
    b.add(pixel_format::nv12, 1, 1);
  }
  const auto launches = b.launches();
  REQUIRE(launches.size() == 4);
  CHECK(launches[0].how == sampler::strip_pairs);
  CHECK(launches[0].items == std::vector{0, 5, 10, 15, 20});
  CHECK(launches[1].how == sampler::strip_planes);
  CHECK(launches[2].how == sampler::bilinear);
  CHECK(launches[2].items.size() == 10);
  CHECK(launches[3].how == sampler::means);
  std::multiset<int> seen;
  for (const auto& l : launches) seen.insert(l.items.begin(), l.items.end());
  CHECK(seen.size() == b.frames.size());
  CHECK(std::set<int>(seen.begin(), seen.end()).size() == b.frames.size());
}

TEST_CASE("frames in strips of one launch have the same colours") {
  batch b;
  for (int i = 0; i < 6; ++i)
    b.add(pixel_format::nv12).matrix = i % 2 == 0 ? core::color_matrix::bt601 : core::color_matrix::bt709;
  const auto launches = b.launches();
  REQUIRE(launches.size() == 2);
  CHECK(launches[0].items == std::vector{0, 2, 4});
  CHECK(launches[1].items == std::vector{1, 3, 5});
  CHECK(!(launches[0].colors == launches[1].colors));
}

TEST_CASE("there are strips where four elements lie side by side and aligned, and others where they do not") {
  batch b;
  b.add(pixel_format::nv12);
  const auto how = [&] { return b.launches().front().how; };
  CHECK(how() == sampler::strip_pairs);
  b.spec.width_px = 34;
  CHECK(how() == sampler::bilinear);
  b.spec.width_px = 36;
  CHECK(how() == sampler::strip_pairs);
  b.offset_bytes = 8;
  CHECK(how() == sampler::bilinear);
  b.spec.type = core::element_type::f16;
  CHECK(how() == sampler::strip_pairs);
  b.offset_bytes = 4;
  CHECK(how() == sampler::bilinear);
  b.spec.type = core::element_type::i8;
  CHECK(how() == sampler::strip_pairs);
  b.offset_bytes = 2;
  CHECK(how() == sampler::bilinear);
  b.offset_bytes = 0;
  b.spec.width_px = 32'768;
  b.spec.height_px = 32'768;
  CHECK(how() == sampler::strip_pairs);
  b.spec.type = core::element_type::f16; // 6 GB a slot
  CHECK(how() == sampler::bilinear);
}

TEST_CASE("a batch beyond one launch goes on in the slots that follow") {
  batch b;
  b.first = 3;
  for (int i = 0; i < 70; ++i) b.add(pixel_format::nv12);
  CHECK(b.launches(0)[0].items.size() == 64);
  const auto* begin = b.slots;
  const auto rest = b.launches(64);
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].items.size() == 6);
  const auto slot_bytes = 3 * b.spec.width_px * b.spec.height_px * 4;
  CHECK(begin - b.memory == 3 * slot_bytes);
  CHECK(b.slots - begin == 64 * slot_bytes);
}
