// Strips of the CUDA preprocess kernel on the CPU: the same functions, called as a block's threads call them.
#include "kernels/sampling_strip.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/sampled_frame.hpp"
#include "tests/unit/kernels/preprocess_table.hpp"

namespace {

using namespace preprocess_table;
using namespace penstock::kernels;

constexpr auto all_columns = (1U << strip::pixels) - 1;

/// Values of the tensor in its layout, before they become elements. `together`: threads that share traits.
template <sample_class Kind>
std::vector<float> sample_strips(const preprocess_spec& spec, const sampled_frame& frame, int rows_a_block,
                                 int together) {
  const auto width = static_cast<std::size_t>(spec.width_px);
  const auto area = width * static_cast<std::size_t>(spec.height_px);
  std::vector<float> out(3 * area, std::nanf(""));
  for (int y0 = 0; y0 < spec.height_px; y0 += rows_a_block) {
    const int y1 = std::min(y0 + rows_a_block, spec.height_px);
    const auto covered = strip::covered_rows(frame, {y0, y1});
    std::vector<strip::row_taps> rows;
    for (int y = y0; y < y1; ++y) rows.push_back(strip::rows_of(frame, y));
    const int step = together * strip::pixels;
    for (int x0 = 0; x0 < spec.width_px; x0 += step) {
      std::vector<strip::column_taps> columns;
      strip::shared_traits traits{false, true};
      for (int x = x0; x < x0 + step; x += strip::pixels) {
        const auto taps = columns.emplace_back(strip::columns_of<Kind>(frame, x));
        traits.tails = traits.tails || strip::has_tails(taps);
        traits.whole = traits.whole && (x >= spec.width_px || taps.covered == all_columns);
      }
      for (int y = y0; y < y1; ++y) {
        for (int x = x0; x < std::min(x0 + step, spec.width_px); ++x) {
          const auto thread = static_cast<std::size_t>((x - x0) / strip::pixels);
          float v[3][strip::pixels];
          if (y >= covered.begin && y < covered.end) {
            strip::sample_row<Kind>(frame, frame.colors, columns[thread], rows[static_cast<std::size_t>(y - y0)],
                                    traits, v);
          } else {
            for (std::size_t k = 0; k < 3; ++k) std::fill(std::begin(v[k]), std::end(v[k]), frame.colors.pad[k]);
          }
          const auto pixel = static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x);
          for (std::size_t k = 0; k < 3; ++k)
            out[spec.layout == core::tensor_layout::nchw ? k * area + pixel : 3 * pixel + k] =
                v[k][(x - x0) % strip::pixels];
        }
      }
    }
  }
  return out;
}

std::vector<float> sample_strips(const preprocess_spec& spec, const sampled_frame& frame, int rows_a_block,
                                 int together) {
  return frame.kind == sample_class::pairs ? sample_strips<sample_class::pairs>(spec, frame, rows_a_block, together)
                                           : sample_strips<sample_class::planar>(spec, frame, rows_a_block, together);
}

/// Whether the frame was sampled.
bool check_agrees(preprocess_spec spec, const core::frame_view& view) {
  spec.type = element_type::f32;
  const auto frame = make_sampled_frame(spec, view);
  if (!strip::serves(frame)) return false;
  const auto expected = run_reference(spec, view);
  CHECK(compare(sample_strips(spec, frame, strip::most_rows, 32), expected).largest <= 1e-3);
  CHECK(compare(sample_strips(spec, frame, 4, 1), expected).largest <= 1e-3);
  return true;
}

bool served(int width, int height, pixel_format format, filter how = filter::bilinear) {
  const auto picture = make_noise(width, height, format, 0, 5);
  preprocess_spec spec;
  spec.width_px = 32;
  spec.height_px = 32;
  spec.filter = how;
  return strip::serves(make_sampled_frame(spec, picture.view));
}

} // namespace

TEST_CASE("strips agree with the reference on all sizes and fits of the formats that they serve") {
  int sampled = 0;
  for_each_geometry([&](preprocess_spec spec, const core::frame_view& frame) {
    spec.scale = {1, 1, 1};
    sampled += check_agrees(spec, frame) ? 1 : 0;
  });
  CHECK(sampled > 150);
}

TEST_CASE("strips agree with the reference on matrices, ranges, layouts and normalisation") {
  int sampled = 0;
  for_each_conversion([&](const preprocess_spec& spec, const core::frame_view& frame) {
    sampled += check_agrees(spec, frame) ? 1 : 0;
  });
  CHECK(sampled == 64);
}

TEST_CASE("strips agree with the reference where pixels lie on samples and where rows alone are between them") {
  for (const auto format : {pixel_format::nv12, pixel_format::i420, pixel_format::i422, pixel_format::i444}) {
    const auto picture = make_noise(192, 108, format, 0, 7);
    for (const auto how : {fit::letterbox, fit::stretch, fit::crop}) {
      preprocess_spec spec;
      spec.width_px = 64;
      spec.height_px = 64;
      spec.fit = how;
      CHECK(check_agrees(spec, picture.view));
    }
  }
}

TEST_CASE("strips are exact for the largest pictures") {
  for (const auto& [w, h] : {std::pair{65'535, 7}, {7, 65'535}}) {
    const auto picture = make_noise(w, h, pixel_format::nv12, 0, 5);
    for (const auto& [tw, th] : {std::pair{1001, 3}, {3, 1001}, {2000, 2}}) {
      preprocess_spec spec;
      spec.width_px = tw;
      spec.height_px = th;
      spec.fit = fit::stretch;
      spec.scale = {1, 1, 1};
      INFO(w << "x" << h << " to " << tw << "x" << th);
      CHECK(check_agrees(spec, picture.view));
    }
  }
}

TEST_CASE("strips know columns that lie on samples") {
  preprocess_spec spec;
  spec.width_px = 64;
  spec.height_px = 64;
  const auto tails = [&](int width, int height) {
    const auto picture = make_noise(width, height, pixel_format::nv12, 0, 5);
    return strip::has_tails(strip::columns_of<sample_class::pairs>(make_sampled_frame(spec, picture.view), 8));
  };
  CHECK(!tails(192, 108)); // a third
  CHECK(tails(128, 72));
  CHECK(tails(190, 108));
}

TEST_CASE("strips serve pictures of bytes in planes with two samples an axis, and no means") {
  for (const auto format : {pixel_format::nv12, pixel_format::i420, pixel_format::i422, pixel_format::i444})
    CHECK(served(64, 48, format));
  for (const auto format : {pixel_format::gray8, pixel_format::rgb24, pixel_format::bgr24, pixel_format::p010})
    CHECK(!served(64, 48, format));
  CHECK(!served(64, 48, pixel_format::nv12, filter::area));
  CHECK(served(16, 8, pixel_format::nv12, filter::area)); // not reduced
  CHECK(!served(1, 1, pixel_format::nv12));
  CHECK(!served(2, 48, pixel_format::nv12)); // one sample of chroma
  CHECK(!served(48, 2, pixel_format::nv12));
  CHECK(!served(1, 48, pixel_format::i444));
  CHECK(served(3, 3, pixel_format::nv12));
  CHECK(served(2, 2, pixel_format::i444));
}

TEST_CASE(
    "strips do not serve planes that offsets of 32 bits do not reach, nor chroma of two strides or odd addresses") {
  const auto picture = make_noise(64, 48, pixel_format::nv12, 0, 5);
  preprocess_spec spec;
  spec.width_px = 32;
  spec.height_px = 32;
  auto view = picture.view;
  view.strides_bytes[0] = ((std::int64_t{1} << 32) - 48) / 48;
  CHECK(strip::serves(make_sampled_frame(spec, view)));
  view.strides_bytes[0] = (std::int64_t{1} << 32) / 48 + 1;
  CHECK(!strip::serves(make_sampled_frame(spec, view)));
  view = picture.view;
  view.strides_bytes[1] += 1; // pairs are not aligned then
  CHECK(!strip::serves(make_sampled_frame(spec, view)));
  const auto planes = make_noise(64, 48, pixel_format::i420, 0, 5);
  view = planes.view;
  view.strides_bytes[2] += 1;
  CHECK(!strip::serves(make_sampled_frame(spec, view)));
}
