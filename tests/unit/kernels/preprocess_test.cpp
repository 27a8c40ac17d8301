#include "kernels/preprocess.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>

#include "kernels/convert.hpp"
#include "kernels/cpu/reference_preprocess.hpp"
#include "tests/catch.hpp"
#include "tests/unit/kernels/instruction_sets.hpp"
#include "tests/unit/kernels/preprocess_table.hpp"

namespace {

using namespace preprocess_table;
using kernels::preprocess_plan;

std::vector<float> run(const preprocess_spec& spec, const core::frame_view& frame) {
  const auto plan = preprocess_plan::make(spec, frame).value();
  std::vector<std::byte> workspace(plan.workspace_bytes(), std::byte{0xa5});
  slot s{spec};
  REQUIRE(plan.run(frame, s.view(), workspace));
  return s.values();
}

/// Steps of 1/255 of the sample range: noise is the worst case for the 8-bit weights of rows.
void check_agrees(const preprocess_spec& spec, const core::frame_view& frame) {
  const auto scale = *std::max_element(spec.scale.begin(), spec.scale.end());
  const auto rounding = spec.type == element_type::u8 || spec.type == element_type::i8 ? 1.0
                        : spec.type == element_type::f16                               ? 2e-3
                                                                                       : 0.0;
  const auto d = compare(run(spec, frame), run_reference(spec, frame));
  CHECK(d.largest <= 1.7 * scale + rounding);
  CHECK(d.mean <= 0.25 * scale + rounding);
}

} // namespace

TEST_CASE("every instruction set agrees with the reference on all formats, sizes, fits and filters") {
  for_each_instruction_set([] { for_each_geometry(check_agrees); });
}

TEST_CASE("matrices, ranges, layouts, element types and normalisation agree with the reference") {
  for_each_instruction_set([] { for_each_conversion(check_agrees); });
}

TEST_CASE("reductions by more than the narrow taps hold stay exact", "[large]") {
  for_each_instruction_set([] {
    for (const auto format :
         {pixel_format::i420, pixel_format::gray8, pixel_format::rgb24, pixel_format::nv12, pixel_format::p010}) {
      const auto picture = make_noise(3001, 1203, format, 0, 5);
      for (const auto& [w, h] : {std::pair{4, 3}, {700, 2}, {2, 500}, {1, 1}}) {
        preprocess_spec spec;
        spec.width_px = w;
        spec.height_px = h;
        spec.fit = kernels::fit::stretch;
        spec.filter = kernels::filter::area;
        spec.scale = {1, 1, 1};
        INFO("to " << w << "x" << h << " format " << static_cast<int>(format));
        CHECK(compare(run(spec, picture.view), run_reference(spec, picture.view)).largest <= 0.1);
      }
    }
  });
}

TEST_CASE("a uniform picture stays uniform at every size, without rounding") {
  for_each_instruction_set([] {
    for (const int value : {16, 17, 128, 235}) {
      for (const auto filter : {kernels::filter::bilinear, kernels::filter::area}) {
        auto picture = make_noise(97, 61, pixel_format::gray8, 0, 1);
        std::fill(picture.memory[0].begin(), picture.memory[0].end(), static_cast<std::uint8_t>(value));
        picture.view.range = core::color_range::full;
        preprocess_spec spec;
        spec.width_px = 40;
        spec.height_px = 130;
        spec.fit = kernels::fit::stretch;
        spec.filter = filter;
        spec.scale = {1, 1, 1};
        for (const auto v : run(spec, picture.view)) REQUIRE(v == Approx(value).margin(0.01));
      }
    }
  });
}

TEST_CASE("known YUV colours become known RGB colours") {
  preprocess_spec spec;
  spec.width_px = 2;
  spec.height_px = 2;
  spec.scale = {1, 1, 1};
  auto picture = make_noise(2, 2, pixel_format::i420, 0, 1);
  const auto convert = [&](int y, int u, int v) {
    picture.memory[0].assign(4, static_cast<std::uint8_t>(y));
    picture.memory[1].assign(1, static_cast<std::uint8_t>(u));
    picture.memory[2].assign(1, static_cast<std::uint8_t>(v));
    for (std::size_t i = 0; i < 3; ++i) picture.view.planes[i] = picture.memory[i].data();
    const auto all = run(spec, picture.view);
    return std::vector<float>{all[0], all[4], all[8]};
  };
  const auto near = [](const std::vector<float>& a, const std::vector<float>& b) {
    return std::abs(a[0] - b[0]) < 1.5F && std::abs(a[1] - b[1]) < 1.5F && std::abs(a[2] - b[2]) < 1.5F;
  };
  CHECK(near(convert(16, 128, 128), {0, 0, 0}));
  CHECK(near(convert(235, 128, 128), {255, 255, 255}));
  CHECK(near(convert(81, 90, 240), {255, 0, 0}));
  picture.view.matrix = core::color_matrix::bt709;
  CHECK(near(convert(63, 102, 240), {255, 0, 0}));
  CHECK(near(convert(173, 42, 26), {0, 255, 0}));
  picture.view.range = core::color_range::full;
  CHECK(near(convert(18, 255, 116), {0, 0, 254}));
}

TEST_CASE("a letterbox pads with its value and leaves the picture in the middle") {
  auto picture = make_noise(40, 20, pixel_format::gray8, 0, 1);
  preprocess_spec spec;
  spec.width_px = 20;
  spec.height_px = 20;
  spec.mean = {14, 14, 14};
  spec.scale = {0.5F, 0.5F, 0.5F};
  const auto out = run(spec, picture.view);
  for (std::size_t y = 0; y < 20; ++y)
    for (std::size_t x = 0; x < 20; ++x)
      if (y < 5 || y >= 15) CHECK(out[y * 20 + x] == 50);
  CHECK(out[10 * 20 + 10] != 50);
}

TEST_CASE("one plan runs on many threads, each with its own workspace") {
  const auto picture = make_noise(640, 360, pixel_format::i420, 0, 3);
  preprocess_spec spec;
  spec.width_px = 100;
  spec.height_px = 100;
  const auto plan = preprocess_plan::make(spec, picture.view).value();
  const auto expected = run(spec, picture.view);
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&result, &plan, &picture, &spec] {
      std::vector<std::byte> workspace(plan.workspace_bytes());
      slot s{spec};
      for (int i = 0; i < 20; ++i) static_cast<void>(plan.run(picture.view, s.view(), workspace));
      result = s.values();
    });
  }
  for (auto& t : threads) t.join();
  for (const auto& result : results) CHECK(result == expected);
}

TEST_CASE("what does not fit the plan is an error and writes nothing") {
  const auto picture = make_noise(64, 64, pixel_format::i420, 0, 3);
  preprocess_spec spec;
  spec.width_px = 32;
  spec.height_px = 32;
  const auto plan = preprocess_plan::make(spec, picture.view).value();
  std::vector<std::byte> workspace(plan.workspace_bytes());
  slot s{spec};
  const auto before = s.bytes;
  const auto refused = [&](const core::frame_view& f, core::tensor_view t, std::span<std::byte> w) {
    const auto result = plan.run(f, t, w);
    return !result && result.error().code == core::errc::invalid_argument && s.bytes == before;
  };

  auto frame = picture.view;
  frame.width_px = 62;
  CHECK(!plan.serves(frame));
  CHECK(refused(frame, s.view(), workspace));
  frame = picture.view;
  frame.format = pixel_format::nv12;
  CHECK(refused(frame, s.view(), workspace));
  frame = picture.view;
  frame.planes[2] = nullptr;
  CHECK(refused(frame, s.view(), workspace));
  frame = picture.view;
  frame.strides_bytes[0] = 63;
  CHECK(refused(frame, s.view(), workspace));
  CHECK(refused(picture.view, s.view(), std::span{workspace}.first(workspace.size() - 1)));
  auto t = s.view();
  t.type = element_type::f16;
  CHECK(refused(picture.view, t, workspace));
  t = s.view();
  const std::vector<std::int64_t> shape{2, 3, 32, 32};
  t.shape = shape;
  CHECK(refused(picture.view, t, workspace));
  t = s.view();
  t.data = nullptr;
  CHECK(refused(picture.view, t, workspace));
  CHECK(plan.run(picture.view, s.view(), workspace));
}

TEST_CASE("a plan for an empty picture or a senseless spec is an error") {
  preprocess_spec good;
  good.width_px = 32;
  good.height_px = 32;
  const auto refused = [](const preprocess_spec& s, int w, int h) {
    const auto plan = preprocess_plan::make(s, w, h, pixel_format::i420);
    return !plan && plan.error().code == core::errc::invalid_argument;
  };
  CHECK(!refused(good, 1, 1));
  CHECK(refused(good, 0, 10));
  CHECK(refused(good, 10, -1));
  CHECK(refused(good, 65'536, 10));
  auto bad = good;
  bad.width_px = 0;
  CHECK(refused(bad, 10, 10));
  bad = good;
  bad.scale[1] = std::nanf("");
  CHECK(refused(bad, 10, 10));
  bad = good;
  bad.type = element_type::i64;
  CHECK(refused(bad, 10, 10));
}
