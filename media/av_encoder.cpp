#include "media/av_encoder.hpp"

#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace penstock::media {

using core::errc;

namespace {

/// Whether the planes can be copied as they are. The range of the JPEG formats is part of the format.
bool same_kind(const core::frame_view& a, const core::frame_view& b) {
  return a.width_px == b.width_px && a.height_px == b.height_px && a.format == b.format && a.matrix == b.matrix &&
         a.range == b.range;
}

void copy_planes(const core::frame_view& from, const core::frame_view& to) {
  for (int p = 0; p < plane_count(from.format); ++p) {
    const auto i = static_cast<std::size_t>(p);
    const auto extent = plane_extent(from.format, from.width_px, from.height_px, p);
    const auto* source = from.planes[i];
    auto* target = writable(to, i);
    for (int row = 0; row < extent.rows; ++row, source += from.strides_bytes[i], target += to.strides_bytes[i])
      std::memcpy(target, source, static_cast<std::size_t>(extent.bytes));
  }
}

} // namespace

const AVCodec* find_encoder(const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (const auto* codec = avcodec_find_encoder_by_name(name.c_str())) return codec;
  return nullptr;
}

core::expected<av_encoder> av_encoder::open(const av_encoder_settings& s, av_options& tuning) {
  init_ffmpeg();
  const auto* codec = find_encoder(s.encoders);
  if (!codec)
    return core::fail(errc::unsupported, fmt::format("this FFmpeg has no encoder {}", fmt::join(s.encoders, " or ")));
  av_encoder made;
  made.context_.reset(checked(avcodec_alloc_context3(codec)));
  auto& c = *made.context_;
  const bool rgb = s.format == core::pixel_format::rgb24 || s.format == core::pixel_format::bgr24;
  const bool full = s.range == core::color_range::full;
  c.width = s.width_px;
  c.height = s.height_px;
  c.pix_fmt = to_av(s.format, s.range);
  c.time_base = s.time_base;
  c.framerate = s.frame_rate;
  c.thread_count = s.threads;
  if (!rgb) {
    c.colorspace = s.matrix == core::color_matrix::bt709 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    c.color_range = full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  }
  if (s.gop_frames > 0) c.gop_size = s.gop_frames;
  if (s.b_frames >= 0) c.max_b_frames = s.b_frames;
  if (s.bit_rate > 0) c.bit_rate = s.bit_rate;
  if (s.quantizer > 0) {
    c.flags |= AV_CODEC_FLAG_QSCALE;
    c.global_quality = s.quantizer * FF_QP2LAMBDA;
    c.qmin = 1;
  }
  if (s.global_header) c.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (const int code = avcodec_open2(&c, codec, tuning.get()); code < 0)
    return core::fail(errc::invalid_argument,
                      fmt::format("{} at {}x{}: {}", codec->name, s.width_px, s.height_px, av_text(code)));

  made.frame_.reset(checked(av_frame_alloc()));
  auto& f = *made.frame_;
  f.width = s.width_px;
  f.height = s.height_px;
  f.format = c.pix_fmt;
  f.colorspace = c.colorspace;
  f.color_range = c.color_range;
  f.quality = c.global_quality;
  if (const int code = av_frame_get_buffer(&f, 0); code < 0) return core::fail(errc::internal, av_text(code));
  made.target_ = {.width_px = s.width_px,
                  .height_px = s.height_px,
                  .format = s.format,
                  .matrix = s.matrix,
                  .range = s.range,
                  .planes = {},
                  .strides_bytes = {}};
  return made;
}

core::expected<void> av_encoder::send(const core::frame_view& view, std::int64_t pts) {
  if (const int code = av_frame_make_writable(frame_.get()); code < 0) return core::fail(errc::internal, av_text(code));
  for (std::size_t i = 0; i < 3; ++i) {
    target_.planes[i] = frame_->data[i];
    target_.strides_bytes[i] = frame_->linesize[i];
  }
  if (same_kind(view, target_)) {
    copy_planes(view, target_);
  } else if (auto done = convert_.convert(view, target_); !done) {
    return done;
  }
  frame_->pts = pts;
  if (const int code = avcodec_send_frame(context_.get(), frame_.get()); code < 0)
    return core::fail(errc::internal, fmt::format("{}: {}", name(), av_text(code)));
  return {};
}

core::expected<void> av_encoder::finish() {
  const int code = avcodec_send_frame(context_.get(), nullptr);
  if (code < 0 && code != AVERROR_EOF) return core::fail(errc::internal, fmt::format("{}: {}", name(), av_text(code)));
  return {};
}

core::expected<std::optional<av_ptr<AVPacket>>> av_encoder::receive() {
  av_ptr<AVPacket> packet{checked(av_packet_alloc())};
  const int code = avcodec_receive_packet(context_.get(), packet.get());
  if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return std::nullopt;
  if (code < 0) return core::fail(errc::internal, fmt::format("{}: {}", name(), av_text(code)));
  return packet;
}

} // namespace penstock::media
