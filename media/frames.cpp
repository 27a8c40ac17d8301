#include "media/frames.hpp"

#include <fmt/format.h>
#include <new>

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

namespace penstock::media {

using core::pixel_format;

namespace {

constexpr int align = 64;
constexpr int align_up(int value) { return (value + align - 1) / align * align; }

} // namespace

core::color_matrix matrix_of(AVColorSpace space) noexcept {
  return space == AVCOL_SPC_BT709 ? core::color_matrix::bt709 : core::color_matrix::bt601;
}

core::color_range range_of(AVPixelFormat format, AVColorRange range) noexcept {
  switch (format) {
  case AV_PIX_FMT_YUVJ420P:
  case AV_PIX_FMT_YUVJ422P:
  case AV_PIX_FMT_YUVJ444P:
  case AV_PIX_FMT_YUVJ440P:
  case AV_PIX_FMT_YUVJ411P: return core::color_range::full;
  default: return range == AVCOL_RANGE_JPEG ? core::color_range::full : core::color_range::limited;
  }
}

AVPixelFormat to_av(pixel_format format, core::color_range range) noexcept {
  const bool full = range == core::color_range::full;
  switch (format) {
  case pixel_format::gray8: return AV_PIX_FMT_GRAY8;
  case pixel_format::i420: return full ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
  case pixel_format::nv12: return AV_PIX_FMT_NV12;
  case pixel_format::i422: return full ? AV_PIX_FMT_YUVJ422P : AV_PIX_FMT_YUV422P;
  case pixel_format::i444: return full ? AV_PIX_FMT_YUVJ444P : AV_PIX_FMT_YUV444P;
  case pixel_format::rgb24: return AV_PIX_FMT_RGB24;
  case pixel_format::bgr24: return AV_PIX_FMT_BGR24;
  case pixel_format::p010: return AV_PIX_FMT_P010LE;
  }
  return AV_PIX_FMT_NONE;
}

core::expected<format_match> match_format(AVPixelFormat format) {
  switch (format) {
  case AV_PIX_FMT_GRAY8: return format_match{pixel_format::gray8, true};
  case AV_PIX_FMT_YUV420P:
  case AV_PIX_FMT_YUVJ420P: return format_match{pixel_format::i420, true};
  case AV_PIX_FMT_NV12: return format_match{pixel_format::nv12, true};
  case AV_PIX_FMT_YUV422P:
  case AV_PIX_FMT_YUVJ422P: return format_match{pixel_format::i422, true};
  case AV_PIX_FMT_YUV444P:
  case AV_PIX_FMT_YUVJ444P: return format_match{pixel_format::i444, true};
  case AV_PIX_FMT_RGB24: return format_match{pixel_format::rgb24, true};
  case AV_PIX_FMT_BGR24: return format_match{pixel_format::bgr24, true};
  default: break;
  }
  const auto* shape = av_pix_fmt_desc_get(format);
  if (!shape || (shape->flags & AV_PIX_FMT_FLAG_HWACCEL) || !sws_isSupportedInput(format))
    return core::fail(core::errc::unsupported,
                      fmt::format("pixel format {}", shape ? shape->name : std::to_string(format)));
  if (shape->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER))
    return format_match{pixel_format::rgb24, false};
  if (shape->nb_components <= 2) // monochrome bits, deep grey, grey with alpha
    return format_match{pixel_format::gray8, false};
  if (shape->log2_chroma_w == 0) return format_match{pixel_format::i444, false};
  if (shape->log2_chroma_w == 1 && shape->log2_chroma_h == 0) return format_match{pixel_format::i422, false};
  return format_match{pixel_format::i420, false};
}

core::expected<void> scaler::run(const side& from, const std::uint8_t* const* data, const int* strides,
                                 const core::frame_view& target) {
  const side to{target.width_px, target.height_px, to_av(target.format, target.range), target.matrix,
                target.range == core::color_range::full};
  if (!context_ || from != from_ || to != to_) {
    const bool same_size = from.width == to.width && from.height == to.height;
    // downscaling by more than half aliases with a 2-tap filter
    const int filter = to.width * 2 < from.width ? SWS_AREA : same_size ? SWS_BICUBIC : SWS_BILINEAR;
    context_.reset(sws_getContext(from.width, from.height, from.format, to.width, to.height, to.format,
                                  filter | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr, nullptr));
    if (!context_)
      return core::fail(core::errc::unsupported,
                        fmt::format("no conversion from {} {}x{} to {} {}x{}", av_get_pix_fmt_name(from.format),
                                    from.width, from.height, av_get_pix_fmt_name(to.format), to.width, to.height));
    const auto table = [](core::color_matrix m) {
      return sws_getCoefficients(m == core::color_matrix::bt709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
    };
    // refused (negative) between formats without colour, where it does not matter
    (void)sws_setColorspaceDetails(context_.get(), table(from.matrix), from.full, table(to.matrix), to.full, 0, 1 << 16,
                                   1 << 16);
    from_ = from;
    to_ = to;
  }
  std::array<std::uint8_t*, 4> planes{};
  std::array<int, 4> steps{};
  for (std::size_t i = 0; i < 3; ++i) {
    planes[i] = writable(target, i);
    steps[i] = static_cast<int>(target.strides_bytes[i]);
  }
  const int rows = sws_scale(context_.get(), data, strides, 0, from.height, planes.data(), steps.data());
  if (rows < 0) return core::fail(core::errc::internal, "swscale: " + av_text(rows));
  return {};
}

core::expected<void> scaler::convert(const core::frame_view& v, const core::frame_view& target) {
  const std::array<const std::uint8_t*, 4> data{v.planes[0], v.planes[1], v.planes[2], nullptr};
  const std::array<int, 4> strides{static_cast<int>(v.strides_bytes[0]), static_cast<int>(v.strides_bytes[1]),
                                   static_cast<int>(v.strides_bytes[2]), 0};
  return run({v.width_px, v.height_px, to_av(v.format, v.range), v.matrix, v.range == core::color_range::full},
             data.data(), strides.data(), target);
}

core::expected<void> scaler::convert(const AVFrame& f, const core::frame_view& target) {
  const auto format = static_cast<AVPixelFormat>(f.format);
  return run(
      {f.width, f.height, format, matrix_of(f.colorspace), range_of(format, f.color_range) == core::color_range::full},
      f.data, f.linesize, target);
}

int plane_count(pixel_format format) noexcept {
  switch (format) {
  case pixel_format::gray8:
  case pixel_format::rgb24:
  case pixel_format::bgr24: return 1;
  case pixel_format::nv12:
  case pixel_format::p010: return 2;
  case pixel_format::i420:
  case pixel_format::i422:
  case pixel_format::i444: return 3;
  }
  return 0;
}

plane_size plane_extent(pixel_format format, int width_px, int height_px, int plane) noexcept {
  const int half_width = (width_px + 1) / 2;
  const int half_height = (height_px + 1) / 2;
  switch (format) {
  case pixel_format::rgb24:
  case pixel_format::bgr24: return {3 * width_px, height_px};
  case pixel_format::nv12:
    return plane == 0 ? plane_size{width_px, height_px} : plane_size{2 * half_width, half_height};
  case pixel_format::p010:
    return plane == 0 ? plane_size{2 * width_px, height_px} : plane_size{4 * half_width, half_height};
  case pixel_format::i420: return plane == 0 ? plane_size{width_px, height_px} : plane_size{half_width, half_height};
  case pixel_format::i422: return plane == 0 ? plane_size{width_px, height_px} : plane_size{half_width, height_px};
  case pixel_format::gray8:
  case pixel_format::i444: break;
  }
  return {width_px, height_px};
}

std::shared_ptr<core::frame> make_frame(int width_px, int height_px, pixel_format format, core::color_matrix matrix,
                                        core::color_range range) {
  auto frame = std::make_shared<core::frame>();
  frame->view = {.width_px = width_px,
                 .height_px = height_px,
                 .format = format,
                 .matrix = matrix,
                 .range = range,
                 .planes = {},
                 .strides_bytes = {}};
  std::array<std::size_t, 3> offsets{};
  std::size_t size = align; // swscale may write a vector past the end of the last row
  const auto planes = static_cast<std::size_t>(plane_count(format));
  for (std::size_t i = 0; i < planes; ++i) {
    const auto extent = plane_extent(format, width_px, height_px, static_cast<int>(i));
    frame->view.strides_bytes[i] = align_up(extent.bytes);
    offsets[i] = size - align;
    size += static_cast<std::size_t>(align_up(extent.bytes)) * static_cast<std::size_t>(extent.rows);
  }
  auto* memory = static_cast<std::uint8_t*>(::operator new (size, std::align_val_t{align}));
  frame->owner = std::shared_ptr<const void>(memory, [](void* p) { ::operator delete (p, std::align_val_t{align}); });
  for (std::size_t i = 0; i < planes; ++i) frame->view.planes[i] = memory + offsets[i];
  return frame;
}

core::expected<core::frame_ptr> from_av(av_ptr<AVFrame> frame, scaler& convert) {
  const auto format = static_cast<AVPixelFormat>(frame->format);
  const auto match = match_format(format);
  if (!match) return tl::unexpected{match.error()};
  const auto matrix = matrix_of(frame->colorspace);
  const auto range = range_of(format, frame->color_range);
  if (!match->exact) {
    const auto made = make_frame(frame->width, frame->height, match->format, matrix, range);
    const auto done = convert.convert(*frame, made->view);
    if (!done) return tl::unexpected{done.error()};
    return made;
  }
  auto result = std::make_shared<core::frame>();
  result->view = {.width_px = frame->width,
                  .height_px = frame->height,
                  .format = match->format,
                  .matrix = matrix,
                  .range = range,
                  .planes = {},
                  .strides_bytes = {}};
  for (std::size_t i = 0; i < static_cast<std::size_t>(plane_count(match->format)); ++i) {
    result->view.planes[i] = frame->data[i];
    result->view.strides_bytes[i] = frame->linesize[i];
  }
  result->owner = std::shared_ptr<AVFrame>(std::move(frame));
  return result;
}

} // namespace penstock::media
