#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/annotate.hpp"
#include "kernels/font.hpp"
#include "kernels/portable.hpp"

namespace penstock::kernels {

/// Pixels [left, right) × [top, bottom), all even, so that luma and chroma agree.
struct pixel_rect {
  std::int32_t left = 0;
  std::int32_t top = 0;
  std::int32_t right = 0;
  std::int32_t bottom = 0;

  [[nodiscard]] PENSTOCK_PORTABLE bool holds(std::int32_t x, std::int32_t y) const {
    return x >= left && x < right && y >= top && y < bottom;
  }
};

/// A box with its label, ready to be drawn.
struct mark {
  pixel_rect outer; ///< the box with its lines
  pixel_rect inner; ///< what the lines enclose
  pixel_rect plate; ///< of the label; empty without one
  std::int32_t text_left = 0;
  std::int32_t text_top = 0;
  std::int32_t length = 0; ///< of the text
  std::uint8_t color[3] = {};
  std::uint8_t ink[3] = {};
  char text[48] = {};
};

/// Some of a job's marks: a launch's, whose parameters hold no more than 32,764 bytes.
struct annotate_params {
  static constexpr std::int32_t max_marks = 240;

  std::uint8_t* planes[3] = {};
  std::int64_t strides_bytes[3] = {};
  std::int32_t chroma_bytes = 1; ///< from one U to the next
  std::int32_t width = 0;
  std::int32_t height = 0;
  std::int32_t text_scale = 1;
  std::int32_t count = 0;
  mark marks[max_marks];
};

static_assert(sizeof(annotate_params) <= 32'764);

/// The marks of the objects from `begin` on, as many as fit.
[[nodiscard]] annotate_params make_annotate_params(const annotate_job& job, std::size_t begin);

/// Draws a mark's part of the block of U and V at (x, y) of their planes and the up to four Y around them. False where
/// the mark does not cover it.
PENSTOCK_PORTABLE bool draw_block(const annotate_params& job, const mark& m, const font& glyphs, std::int32_t x,
                                  std::int32_t y) {
  const auto x0 = 2 * x;
  const auto y0 = 2 * y;
  const bool plate = m.plate.holds(x0, y0);
  if (!plate && (!m.outer.holds(x0, y0) || m.inner.holds(x0, y0))) return false;
  int inked = 0;
  for (auto row = y0; row < y0 + 2 && row < job.height; ++row) {
    for (auto column = x0; column < x0 + 2 && column < job.width; ++column) {
      bool ink = false;
      if (plate && column >= m.text_left && row >= m.text_top) {
        const auto u = (column - m.text_left) / job.text_scale;
        const auto v = (row - m.text_top) / job.text_scale;
        ink = u < font::width * m.length && v < font::height && glyphs.has(m.text[u / font::width], u % font::width, v);
      }
      inked += ink ? 1 : 0;
      job.planes[0][row * job.strides_bytes[0] + column] = ink ? m.ink[0] : m.color[0];
    }
  }
  const auto at = x * job.chroma_bytes;
  job.planes[1][y * job.strides_bytes[1] + at] = inked > 1 ? m.ink[1] : m.color[1];
  job.planes[2][y * job.strides_bytes[2] + at] = inked > 1 ? m.ink[2] : m.color[2];
  return true;
}

} // namespace penstock::kernels
