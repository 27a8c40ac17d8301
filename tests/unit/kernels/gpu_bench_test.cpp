/// The pure parts of bench/gpu: what its figures are divided by has to be right.

#include "bench/gpu/minimal_bytes.hpp"
#include "bench/gpu/statistics.hpp"
#include "tests/catch.hpp"

using namespace penstock;

namespace {

kernels::preprocess_spec spec_of(int width_px, int height_px, kernels::fit fit, core::element_type type) {
  kernels::preprocess_spec spec;
  spec.width_px = width_px;
  spec.height_px = height_px;
  spec.fit = fit;
  spec.type = type;
  return spec;
}

} // namespace

TEST_CASE("a spread is the median and the deciles, whatever the order of the values") {
  const auto s = bench::spread_of({5, 1, 4, 2, 3, 9, 8, 7, 6, 10, 0});
  CHECK(s.median == 5);
  CHECK(s.low == 1);
  CHECK(s.high == 9);
  CHECK(s.repeats == 11);
  CHECK(bench::spread_of({3, 1}).median == 2);
  CHECK(bench::spread_of({7}).high == 7);
  CHECK(bench::spread_of({}).repeats == 0);
}

TEST_CASE("a repeat reads every input equally often and lasts about as long as was asked for") {
  CHECK(bench::calls_per_repeat(0.001, 0.01, 3) == 12);
  CHECK(bench::calls_per_repeat(1, 0.01, 4) == 4);
  CHECK(bench::calls_per_repeat(0, 0.01, 1) == 10'000);
  CHECK(bench::inputs_beyond_cache(1 << 20, 50 << 20) == 200);
  CHECK(bench::inputs_beyond_cache(std::size_t{1} << 30U, 50 << 20) == 2);
}

TEST_CASE("samples without a weight are not counted as read") {
  using row = std::vector<bool>;
  // Every third pixel's centre is a sample's own; every second lies between two.
  CHECK(bench::sampled(9, 3, 0, 3) == row{false, true, false, false, true, false, false, true, false});
  CHECK(bench::sampled(4, 2, 0, 2) == row{true, true, true, true});
  CHECK(bench::sampled(8, 4, 0, 2) == row{false, true, true, false, false, true, true, false});
  // Enlarged, edges repeat; a crop leaves samples out.
  CHECK(bench::sampled(2, 0.5, 0, 4) == row{true, true});
  CHECK(bench::sampled(9, 3, 1, 2) == row{false, false, false, false, true, false, false, false, false});
}

TEST_CASE("bytes are counted in whole sectors, each once") {
  CHECK(bench::sectors(std::vector<bool>(64, true), 1) == 2);
  CHECK(bench::sectors(std::vector<bool>(33, true), 1) == 2);
  CHECK(bench::sectors(std::vector<bool>(17, true), 2) == 2);
  CHECK(bench::sectors(std::vector<bool>(16, true), 3) == 2); // a sample across the border counts both
  std::vector<bool> sparse(128, false);
  sparse[0] = sparse[5] = sparse[127] = true;
  CHECK(bench::sectors(sparse, 1) == 2);
}

TEST_CASE("1080p to 640 letterbox reads one of three rows of Y, all of UV, and writes the whole tensor") {
  const auto bytes = bench::of_nv12(spec_of(640, 640, kernels::fit::letterbox, core::element_type::f16), 1920, 1080);
  CHECK(bytes.read == 360 * 1920 + 540 * 1920);
  CHECK(bytes.written == 3 * 640 * 640 * 2);
}

TEST_CASE("a picture of the tensor's size is read once, but for what a crop leaves out") {
  const auto whole = bench::of_nv12(spec_of(128, 64, kernels::fit::stretch, core::element_type::f32), 128, 64);
  CHECK(whole.read == 128 * 64 * 3 / 2);
  CHECK(whole.written == 3 * 128 * 64 * 4);
  const auto crop = bench::of_nv12(spec_of(64, 64, kernels::fit::crop, core::element_type::u8), 128, 64);
  // Y: bytes 32 to 95. UV lies in the middle of its samples' distance, so one pair (2 bytes) more is touched left and
  // right.
  CHECK(crop.read == 64 * 64 + 32 * 128);
  CHECK(crop.written == 3 * 64 * 64);
}
