#include <algorithm>

#include "kernels/annotate_checks.hpp"
#include "kernels/annotate_pixels.hpp"
#include "kernels/jpeg_pixels.hpp"

namespace penstock::kernels::cpu {

namespace {

/// Draws a mark on the blocks of its rectangle.
void draw(const annotate_params& job, const mark& m, const pixel_rect& part) {
  const auto right = std::min(part.right, job.width + 1) / 2;
  const auto bottom = std::min(part.bottom, job.height + 1) / 2;
  for (auto y = std::max(part.top, 0) / 2; y < bottom; ++y)
    for (auto x = std::max(part.left, 0) / 2; x < right; ++x) draw_block(job, m, built_in_font, x, y);
}

} // namespace

core::expected<void> annotate(const annotate_job& job) {
  if (auto ok = check(job); !ok) return ok;
  for (std::size_t begin = 0; begin < job.objects.size(); begin += annotate_params::max_marks) {
    const auto params = make_annotate_params(job, begin);
    for (std::int32_t i = 0; i < params.count; ++i) {
      draw(params, params.marks[i], params.marks[i].outer);
      draw(params, params.marks[i], params.marks[i].plate);
    }
  }
  return {};
}

core::expected<void> to_jpeg_planes(const to_jpeg_planes_job& job) {
  if (auto ok = check(job); !ok) return ok;
  if (job.source.memory != core::memory_kind::host)
    return core::fail(core::errc::invalid_argument, "the CPU cannot reach the picture");
  const auto params = make_jpeg_planes_params(job);
  with_kind(params.source.luma.kind, [&](auto tag) {
    for (std::int32_t y = 0; y < (params.height + 1) / 2; ++y)
      for (std::int32_t x = 0; x < (params.width + 1) / 2; ++x) jpeg_block<decltype(tag)::value>(params, x, y);
  });
  return {};
}

} // namespace penstock::kernels::cpu
