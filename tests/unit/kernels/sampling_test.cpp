// The arithmetic of the CUDA preprocess kernel, pixel by pixel on the CPU.
#include "kernels/sampling.hpp"

#include <cmath>
#include <vector>

#include "kernels/sampled_frame.hpp"
#include "tests/unit/kernels/preprocess_table.hpp"

namespace {

using namespace preprocess_table;
using namespace penstock::kernels;

/// What the kernel makes of a frame: values of the tensor in its layout, before they become elements.
template <bool Area>
std::vector<float> sample(const preprocess_spec& spec, const sampled_frame& frame) {
  const auto width = static_cast<std::size_t>(spec.width_px);
  const auto area = width * static_cast<std::size_t>(spec.height_px);
  std::vector<float> out(3 * area);
  with_kind(frame.kind, [&](auto tag) {
    for (int y = 0; y < spec.height_px; ++y) {
      for (int x = 0; x < spec.width_px; ++x) {
        color c{{frame.colors.pad[0], frame.colors.pad[1], frame.colors.pad[2]}};
        if (x >= frame.left && x < frame.right && y >= frame.top && y < frame.bottom) {
          const pixel_taps column{span_of(frame.columns[0], x - frame.left), span_of(frame.columns[1], x - frame.left)};
          const pixel_taps row{span_of(frame.rows[0], y - frame.top), span_of(frame.rows[1], y - frame.top)};
          c = sample_pixel<decltype(tag)::value, Area>(frame, column, row);
        }
        const auto pixel = static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x);
        for (std::size_t k = 0; k < 3; ++k)
          out[spec.layout == core::tensor_layout::nchw ? k * area + pixel : 3 * pixel + k] = c.values[k];
      }
    }
  });
  return out;
}

std::vector<float> sample(const preprocess_spec& spec, const core::frame_view& view) {
  const auto frame = make_sampled_frame(spec, view);
  return takes_means(frame) ? sample<true>(spec, frame) : sample<false>(spec, frame);
}

void check_agrees(preprocess_spec spec, const core::frame_view& frame) {
  spec.type = element_type::f32;
  const auto expected = run_reference(spec, frame);
  CHECK(compare(sample(spec, frame), expected).largest <= 1e-3);
  // what is right for bilinear pixels is right where the means are of such
  if (const auto f = make_sampled_frame(spec, frame); !takes_means(f))
    CHECK(compare(sample<true>(spec, f), expected).largest <= 1e-3);
}

} // namespace

TEST_CASE("the kernels' arithmetic agrees with the reference on all formats, sizes, fits and filters") {
  for_each_geometry([](preprocess_spec spec, const core::frame_view& frame) {
    spec.scale = {1, 1, 1};
    check_agrees(spec, frame);
  });
}

TEST_CASE("the kernels' arithmetic agrees with the reference on matrices, ranges, layouts and normalisation") {
  for_each_conversion(check_agrees);
}

TEST_CASE("the kernels' arithmetic is exact for the largest pictures", "[large]") {
  for (const auto& [w, h] : {std::pair{65'535, 7}, {7, 65'535}}) {
    const auto picture = make_noise(w, h, pixel_format::nv12, 0, 5);
    for (const auto& [tw, th] : {std::pair{1001, 3}, {3, 1001}, {1, 1}, {2000, 2}}) {
      for (const auto filter : {filter::bilinear, filter::area}) {
        preprocess_spec spec;
        spec.width_px = tw;
        spec.height_px = th;
        spec.filter = filter;
        spec.fit = fit::stretch;
        spec.scale = {1, 1, 1};
        INFO(w << "x" << h << " to " << tw << "x" << th << " filter " << static_cast<int>(filter));
        check_agrees(spec, picture.view);
      }
    }
  }
}

TEST_CASE("samples that no pixel weighs are not read") {
  const auto axis_of = [](int width) {
    const auto picture = make_noise(width, width, pixel_format::gray8, 0, 5);
    preprocess_spec spec;
    spec.width_px = 640;
    spec.height_px = 640;
    return make_sampled_frame(spec, picture.view).columns[0];
  };
  // a third: pixels lie exactly on samples
  const auto third = axis_of(1920);
  for (int p = 0; p < 640; ++p) {
    const auto span = span_of(third, p);
    CHECK(span.first == 3 * p + 1);
    CHECK(span.last == span.first);
  }
  const auto span = span_of(axis_of(1280), 5);
  CHECK(span.first == 10);
  CHECK(span.last == 11);
  CHECK(span.head == 0.5F);
  CHECK(span.tail == 0.5F);
}
