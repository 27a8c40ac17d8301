#include <algorithm>

#include "media/av_encoder.hpp"
#include "media/encoder.hpp"

namespace penstock::media {

namespace {

core::expected<std::vector<std::byte>> encode_one(const core::frame_view& view, av_encoder_settings settings) {
  if (view.width_px <= 0 || view.height_px <= 0) return core::fail(core::errc::invalid_argument, "an empty picture");
  settings.width_px = view.width_px;
  settings.height_px = view.height_px;
  av_options none;
  auto encoder = av_encoder::open(settings, none);
  if (!encoder) return tl::unexpected{std::move(encoder.error())};
  auto done = encoder->send(view, 0);
  if (done) done = encoder->finish();
  if (!done) return tl::unexpected{std::move(done.error())};
  auto packet = encoder->receive();
  if (!packet) return tl::unexpected{std::move(packet.error())};
  if (!*packet) return core::fail(core::errc::internal, "the encoder gave nothing");
  const auto* bytes = reinterpret_cast<const std::byte*>((**packet)->data);
  return std::vector<std::byte>(bytes, bytes + (**packet)->size);
}

/// The scale of FFmpeg's MJPEG quantizer that matches libjpeg's quality: its tables at 8 are libjpeg's at 50.
int quantizer_of(int quality) {
  const double percent = quality < 50 ? 5000.0 / quality : 200.0 - 2.0 * quality;
  return std::clamp(static_cast<int>(percent / 100 * 8 + 0.5), 1, 31);
}

} // namespace

core::expected<std::vector<std::byte>> encode_jpeg(const core::frame_view& view, int quality) {
  if (quality < 1 || quality > 100)
    return core::fail(core::errc::invalid_argument, "JPEG quality is from 1 to 100, not " + std::to_string(quality));
  av_encoder_settings settings;
  settings.encoders = {"mjpeg"};
  settings.range = core::color_range::full;
  settings.quantizer = quantizer_of(quality);
  return encode_one(view, settings);
}

core::expected<std::vector<std::byte>> encode_png(const core::frame_view& view) {
  av_encoder_settings settings;
  settings.encoders = {"png"};
  settings.format = core::pixel_format::rgb24;
  return encode_one(view, settings);
}

} // namespace penstock::media
