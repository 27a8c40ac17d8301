#include "kernels/annotate.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "kernels/annotate_checks.hpp"
#include "kernels/annotate_pixels.hpp"
#include "kernels/checks.hpp"
#include "kernels/jpeg_pixels.hpp"

namespace penstock::kernels {

namespace {

constexpr std::size_t max_objects = 1024;
constexpr int max_line_px = 64;
constexpr int max_text_scale = 16;

core::expected<void> bad(std::string message) { return core::fail(core::errc::invalid_argument, std::move(message)); }

core::frame_view view_of(const picture& p) noexcept {
  core::frame_view view{p.width_px, p.height_px, p.format,        p.matrix,
                        p.range,    {},          p.strides_bytes, core::memory_kind::host};
  std::copy(p.planes.begin(), p.planes.end(), view.planes.begin());
  return view;
}

using rgb = std::array<double, 3>;

/// A clear colour for each number; neighbours differ as much as they can (golden ratio of the hue circle).
rgb rgb_of(std::int32_t number) noexcept {
  const double hue = std::fmod(0.33 + 0.61803398875 * std::abs(number % 10'000), 1.0) * 6;
  const auto ramp = [&](double shift) {
    return 0.12 + 0.88 * std::clamp(std::fabs(std::fmod(hue + shift, 6.0) - 3) - 1, 0.0, 1.0);
  };
  return {ramp(0), ramp(4), ramp(2)};
}

double luma_of(const rgb& c, double kr, double kb) noexcept { return kr * c[0] + (1 - kr - kb) * c[1] + kb * c[2]; }

std::array<std::uint8_t, 3> to_yuv(const rgb& c, core::color_matrix matrix, core::color_range range) noexcept {
  const bool hd = matrix == core::color_matrix::bt709;
  const bool full = range == core::color_range::full;
  const double kr = hd ? 0.2126 : 0.299;
  const double kb = hd ? 0.0722 : 0.114;
  const double y = luma_of(c, kr, kb);
  const double chroma = full ? 255 : 224;
  const auto byte = [](double v) { return static_cast<std::uint8_t>(std::clamp(v, 0.0, 255.0) + 0.5); };
  return {byte(full ? 255 * y : 16 + 219 * y), byte(128 + chroma * (c[2] - y) / (2 * (1 - kb))),
          byte(128 + chroma * (c[0] - y) / (2 * (1 - kr)))};
}

constexpr int even_down(int v) noexcept { return v & ~1; }
constexpr int even_up(int v) noexcept { return (v + 1) & ~1; }

/// The box of an object in whole pixels; empty where it is no box.
pixel_rect rect_of(const device_object& o, const picture& target) noexcept {
  if (!std::isfinite(o.x) || !std::isfinite(o.y) || !(o.w >= 0) || !(o.h >= 0)) return {};
  constexpr float beyond = 2 * max_line_px; // lines that far outside are not seen
  const auto pixel = [](float v, int limit) {
    return static_cast<int>(std::floor(std::clamp(v, -beyond, static_cast<float>(limit) + beyond)));
  };
  return {even_down(pixel(o.x, target.width_px)), even_down(pixel(o.y, target.height_px)),
          even_up(pixel(o.x + o.w, target.width_px)), even_up(pixel(o.y + o.h, target.height_px))};
}

void set_label(mark& m, const label_text& label, int scale, const picture& target) noexcept {
  const auto end = std::find(label.text.begin(), label.text.end(), '\0');
  m.length = static_cast<std::int32_t>(end - label.text.begin());
  if (m.length == 0) return;
  std::copy(label.text.begin(), end, m.text);
  const int border = 2 * scale;
  const int width = even_up(font::width * m.length * scale + 2 * border);
  const int height = even_up(font::height * scale);
  const int left = even_down(std::clamp(m.outer.left, 0, std::max(0, target.width_px - width)));
  // above the box, or inside it where there is no room
  const int top = m.outer.top >= height ? m.outer.top - height : std::max(0, m.outer.top);
  m.plate = {left, top, left + width, top + height};
  m.text_left = left + border;
  m.text_top = top;
}

} // namespace

core::expected<void> check(const annotate_job& job) {
  const auto format = job.target.format;
  if (format != core::pixel_format::nv12 && format != core::pixel_format::i420)
    return bad("can only draw on nv12 and i420");
  if (auto ok = check_picture(view_of(job.target)); !ok) return ok;
  if (job.objects.size() > max_objects) return bad(std::to_string(job.objects.size()) + " objects: 1024 at most");
  if (!job.labels.empty() && job.labels.size() != job.objects.size()) return bad("not one label for each object");
  if (job.line_px < 1 || job.line_px > max_line_px) return bad("lines must be 1 to 64 pixels wide");
  if (job.text_scale < 1 || job.text_scale > max_text_scale) return bad("the text's scale must be 1 to 16");
  return {};
}

core::expected<void> check(const to_jpeg_planes_job& job) {
  if (job.target.format != core::pixel_format::i420) return bad("JPEG planes are i420");
  if (auto ok = check_picture(job.source); !ok) return ok;
  if (auto ok = check_picture(view_of(job.target)); !ok) return core::fail("target", ok.error());
  return {};
}

annotate_params make_annotate_params(const annotate_job& job, std::size_t begin) {
  annotate_params params;
  const auto& target = job.target;
  const bool semi_planar = target.format == core::pixel_format::nv12;
  for (std::size_t p = 0; p < 3; ++p) {
    const auto plane = semi_planar ? std::min<std::size_t>(p, 1) : p;
    params.planes[p] = target.planes[plane] + (semi_planar && p == 2 ? 1 : 0);
    params.strides_bytes[p] = target.strides_bytes[plane];
  }
  params.chroma_bytes = semi_planar ? 2 : 1;
  params.width = target.width_px;
  params.height = target.height_px;
  params.text_scale = job.text_scale;
  const int line = even_up(job.line_px);
  const auto end = std::min(job.objects.size(), begin + annotate_params::max_marks);
  for (auto i = begin; i < end; ++i) {
    const auto& object = job.objects[i];
    auto& m = params.marks[params.count];
    m = {};
    m.outer = rect_of(object, target);
    if (m.outer.right <= m.outer.left && m.outer.bottom <= m.outer.top) continue;
    m.inner = {m.outer.left + line, m.outer.top + line, m.outer.right - line, m.outer.bottom - line};
    const auto base = rgb_of(object.class_index);
    const auto color = to_yuv(base, target.matrix, target.range);
    const auto shade = luma_of(base, 0.299, 0.114) > 0.5 ? 0.0 : 1.0;
    const auto ink = to_yuv({shade, shade, shade}, target.matrix, target.range);
    std::copy(color.begin(), color.end(), m.color);
    std::copy(ink.begin(), ink.end(), m.ink);
    if (!job.labels.empty()) set_label(m, job.labels[i], job.text_scale, target);
    ++params.count;
  }
  return params;
}

jpeg_planes_params make_jpeg_planes_params(const to_jpeg_planes_job& job) noexcept {
  jpeg_planes_params params;
  params.source = make_sampled_yuv(job.source, job.target.width_px, job.target.height_px);
  for (std::size_t p = 0; p < 3; ++p) {
    params.planes[p] = job.target.planes[p];
    params.strides_bytes[p] = job.target.strides_bytes[p];
  }
  params.width = job.target.width_px;
  params.height = job.target.height_px;
  return params;
}

std::array<std::uint8_t, 3> palette_color(std::int32_t class_index) noexcept {
  return to_yuv(rgb_of(class_index), core::color_matrix::bt601, core::color_range::full);
}

} // namespace penstock::kernels
