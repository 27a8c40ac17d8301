#include "kernels/annotate.hpp"

#include <set>

#include "kernels/font.hpp"
#include "tests/unit/kernels/device_suite.hpp"

namespace {

using namespace device_suite;

/// A uniform picture to draw on.
struct canvas {
  noise_picture picture;
  kernels::picture target;

  canvas(int width, int height, pixel_format format) : picture{make_noise(width, height, format, 4, 1)} {
    for (auto& plane : picture.memory) std::fill(plane.begin(), plane.end(), std::uint8_t{77});
    const auto& v = picture.view;
    target = {v.width_px, v.height_px, v.format, v.matrix, core::color_range::full, {}, v.strides_bytes};
    for (std::size_t p = 0; p < picture.memory.size(); ++p) target.planes[p] = picture.memory[p].data();
  }

  [[nodiscard]] int luma(int x, int y) const { return target.planes[0][y * target.strides_bytes[0] + x]; }
};

} // namespace

TEST_CASE("a box is drawn with its class's colour, on its edges only") {
  for (const auto format : {pixel_format::nv12, pixel_format::i420}) {
    canvas c{64, 48, format};
    const std::vector<kernels::device_object> objects{{10, 8, 20, 16, 1, 5}};
    REQUIRE(kernels::cpu::annotate({c.target, objects, {}, 2, 1}));
    const auto color = kernels::palette_color(5);
    for (int y = 0; y < 48; ++y) {
      for (int x = 0; x < 64; ++x) {
        const bool inside = x >= 10 && x < 30 && y >= 8 && y < 24;
        const bool line = inside && !(x >= 12 && x < 28 && y >= 10 && y < 22);
        if (c.luma(x, y) != (line ? color[0] : 77)) FAIL("pixel " << x << ", " << y << " is " << c.luma(x, y));
        if (x % 2 != 0 || y % 2 != 0) continue;
        const auto step = format == pixel_format::nv12 ? x : x / 2;
        const auto* u = c.target.planes[1] + y / 2 * c.target.strides_bytes[1] + step;
        const auto* v =
            format == pixel_format::nv12 ? u + 1 : c.target.planes[2] + y / 2 * c.target.strides_bytes[2] + step;
        if (*u != (line ? color[1] : 77) || *v != (line ? color[2] : 77)) FAIL("colour at " << x << ", " << y);
      }
    }
  }
}

TEST_CASE("later boxes are drawn over earlier ones") {
  canvas c{32, 32, pixel_format::i420};
  const std::vector<kernels::device_object> objects{{4, 4, 20, 20, 1, 1}, {4, 4, 20, 20, 1, 2}};
  REQUIRE(kernels::cpu::annotate({c.target, objects, {}, 2, 1}));
  CHECK(c.luma(4, 4) == kernels::palette_color(2)[0]);
}

TEST_CASE("a label stands on a plate above its box, in the built-in font") {
  for (const int scale : {1, 3}) {
    canvas c{200, 120, pixel_format::i420};
    const std::vector<kernels::device_object> objects{{20, 60, 30, 20, 1, 5}};
    const std::vector<kernels::label_text> labels{label("A")};
    REQUIRE(kernels::cpu::annotate({c.target, objects, labels, 2, scale}));
    const auto color = kernels::palette_color(5)[0];
    const int ink = c.target.planes[0] != nullptr && color > 127 ? 0 : 255;
    for (int v = 0; v < 16 * scale; ++v) {
      for (int u = 0; u < 8 * scale; ++u) {
        const bool set = kernels::built_in_font.has('A', u / scale, v / scale);
        const auto actual = c.luma(20 + 2 * scale + u, 60 - 16 * scale + v);
        if (actual != (set ? ink : color)) FAIL("pixel " << u << ", " << v << " is " << actual);
      }
    }
    CHECK(c.luma(20, 60 - 16 * scale) == color);
    CHECK(c.luma(20, 59 - 16 * scale) == 77);
  }
}

TEST_CASE("every character of the font looks like itself only") {
  std::set<std::vector<std::uint8_t>> seen;
  for (const auto& glyph : kernels::built_in_font.rows) {
    seen.emplace(std::begin(glyph), std::end(glyph));
    CHECK(glyph[0] == 0);
    CHECK(glyph[15] == 0);
    for (const auto row : glyph) CHECK((row & 1) == 0); // a gap to the next
  }
  CHECK(seen.size() == kernels::font::glyphs);
}

TEST_CASE("what cannot be drawn on, or with, is an error") {
  canvas c{32, 32, pixel_format::i420};
  const std::vector<kernels::device_object> objects(2);
  const std::vector<kernels::label_text> labels(2);
  const auto refused = [](const kernels::annotate_job& job) {
    const auto done = kernels::cpu::annotate(job);
    return !done && done.error().code == core::errc::invalid_argument;
  };
  CHECK(!refused({c.target, objects, labels}));
  CHECK(refused({c.target, objects, std::span{labels}.first(1)}));
  CHECK(refused({c.target, objects, labels, 0}));
  CHECK(refused({c.target, objects, labels, 2, 0}));
  const std::vector<kernels::device_object> many(1025);
  CHECK(refused({c.target, many, {}}));
  auto target = c.target;
  target.format = pixel_format::rgb24;
  CHECK(refused({target, objects, labels}));
  target = c.target;
  target.width_px = 0;
  CHECK(refused({target, objects, labels}));
  target = c.target;
  target.planes[2] = nullptr;
  CHECK(refused({target, objects, labels}));
}

TEST_CASE("JPEG planes of a full-range BT.601 picture are the picture") {
  for (const auto& [w, h] : {std::pair{1, 1}, {33, 17}, {64, 48}}) {
    const auto source = make_noise(w, h, pixel_format::i420, 5, 9);
    auto full = source.view;
    full.range = core::color_range::full;
    canvas c{w, h, pixel_format::i420};
    REQUIRE(kernels::cpu::to_jpeg_planes({full, c.target}));
    const auto shape = kernels::shape_of(pixel_format::i420);
    for (std::size_t p = 0; p < 3; ++p)
      for (int y = 0; y < shape.height(h, p); ++y)
        for (int x = 0; x < shape.width(w, p); ++x)
          REQUIRE(int{c.target.planes[p][y * c.target.strides_bytes[p] + x]} ==
                  full.planes[p][y * full.strides_bytes[p] + x]);
  }
}

TEST_CASE("JPEG planes of other pictures are their colours, resized") {
  for (const auto format : {pixel_format::rgb24, pixel_format::bgr24, pixel_format::gray8}) {
    auto source = make_noise(90, 50, format, 3, 4);
    source.view.range = core::color_range::full;
    canvas c{60, 72, pixel_format::i420};
    REQUIRE(kernels::cpu::to_jpeg_planes({source.view, c.target}));
    const auto check_plane = [&](std::size_t plane, int w, int h, std::array<double, 4> factors) {
      preprocess_spec spec;
      spec.width_px = w;
      spec.height_px = h;
      spec.fit = kernels::fit::stretch;
      spec.scale = {1, 1, 1};
      const auto rgb = run_reference(spec, source.view);
      const auto area = static_cast<std::size_t>(w * h);
      for (std::size_t i = 0; i < area; ++i) {
        const auto wanted =
            factors[0] * rgb[i] + factors[1] * rgb[area + i] + factors[2] * rgb[2 * area + i] + factors[3];
        const auto x = static_cast<int>(i) % w;
        const auto y = static_cast<int>(i) / w;
        REQUIRE(std::abs(c.target.planes[plane][y * c.target.strides_bytes[plane] + x] - wanted) <= 0.51);
      }
    };
    check_plane(0, 60, 72, {0.299, 0.587, 0.114, 0});
    check_plane(1, 30, 36, {-0.168736, -0.331264, 0.5, 128});
    check_plane(2, 30, 36, {0.5, -0.418688, -0.081312, 128});
  }
}

TEST_CASE("limited ranges and other matrices become full-range BT.601") {
  auto source = make_noise(2, 2, pixel_format::i420, 0, 1);
  source.memory[0].assign(4, 173);
  source.memory[1].assign(1, 42);
  source.memory[2].assign(1, 26);
  for (std::size_t p = 0; p < 3; ++p) source.view.planes[p] = source.memory[p].data();
  source.view.matrix = core::color_matrix::bt709; // green
  canvas c{2, 2, pixel_format::i420};
  REQUIRE(kernels::cpu::to_jpeg_planes({source.view, c.target}));
  CHECK(std::abs(c.luma(0, 0) - 150) <= 1);
  CHECK(std::abs(c.target.planes[1][0] - 44) <= 1);
  CHECK(std::abs(c.target.planes[2][0] - 21) <= 1);
}

TEST_CASE("JPEG planes are I420 of a picture that is there") {
  canvas c{8, 8, pixel_format::nv12};
  const auto source = make_noise(8, 8, pixel_format::nv12, 0, 1);
  CHECK(!kernels::cpu::to_jpeg_planes({source.view, c.target}));
  canvas good{8, 8, pixel_format::i420};
  CHECK(kernels::cpu::to_jpeg_planes({source.view, good.target}));
  auto none = source.view;
  none.height_px = 0;
  CHECK(!kernels::cpu::to_jpeg_planes({none, good.target}));
}
