#include <cmath>
#include <condition_variable>
#include <fmt/format.h>
#include <mutex>

#include "media/av_encoder.hpp"
#include "media/bitstream.hpp"
#include "media/source_kinds.hpp"
#include "media/synthetic.hpp"
#include "media/timeline.hpp"

namespace penstock::media {

using core::errc;

namespace {

std::vector<std::string> encoders_for(const std::string& codec) {
  if (codec == "h264") return {"libx264", "libopenh264"};
  if (codec == "hevc") return {"libx265"};
  if (codec == "vp9") return {"libvpx-vp9"};
  if (codec == "av1") return {"libaom-av1", "libsvtav1"};
  return {codec};
}

/// What each encoder needs for fixed groups of pictures, speed and silence; encoders ignore the options of others.
void tune(const synthetic_options& o, av_options& tuning) {
  if (o.codec == "h264") {
    tuning.set("preset", "veryfast");
    // no macroblock tree: with AVX-512 x264 takes it from memory nobody wrote, and no two runs have the same packets
    tuning.set("x264-params", fmt::format("mbtree=0:scenecut=0:keyint={0}:min-keyint={0}:open-gop={1}:rc-lookahead={2}",
                                          o.gop_frames, int{o.open_gop}, o.live ? 0 : 10));
  } else if (o.codec == "hevc") {
    tuning.set("preset", "ultrafast");
    tuning.set(
        "x265-params",
        fmt::format("log-level=none:pools=none:frame-threads=1:scenecut=0:keyint={0}:min-keyint={0}:open-gop={1}:"
                    "bframes={2}:rc-lookahead={3}",
                    o.gop_frames, int{o.open_gop}, o.b_frames, std::max(5, o.b_frames + 1)));
  } else if (o.codec == "vp9" || o.codec == "av1") {
    tuning.set(o.codec == "vp9" ? "deadline" : "usage", "realtime");
    tuning.set("cpu-used", "8");
    if (o.bit_rate == 0) tuning.set("crf", "30");
  } else if (o.codec == "mpeg4" && !o.open_gop) {
    tuning.set("flags", "+cgop");
    tuning.set("sc_threshold", "1000000000");
  }
}

class synthetic_source final : public packet_source {
 public:
  static core::expected<source_ptr> open(const source_options& source, const synthetic_options& scene) {
    if (static_cast<std::uint64_t>(scene.width_px) * static_cast<std::uint64_t>(scene.height_px) > source.max_pixels)
      return core::fail(errc::too_large, fmt::format("{}: beyond max_pixels {}", source.uri, source.max_pixels));
    av_encoder_settings settings;
    settings.encoders = encoders_for(scene.codec);
    settings.width_px = scene.width_px;
    settings.height_px = scene.height_px;
    settings.frame_rate = av_d2q(scene.frames_per_s, 10'000);
    settings.time_base = av_inv_q(settings.frame_rate);
    settings.gop_frames = scene.gop_frames;
    if (scene.codec == "h264" || scene.codec == "hevc" || scene.codec == "mpeg4") settings.b_frames = scene.b_frames;
    settings.bit_rate = static_cast<std::int64_t>(scene.bit_rate);
    if (scene.codec == "png") settings.format = core::pixel_format::rgb24;
    if (scene.codec == "mjpeg") settings.range = core::color_range::full;
    if (scene.bit_rate == 0 && (scene.codec == "mjpeg" || scene.codec == "mpeg4")) settings.quantizer = 4;
    settings.global_header = true;
    av_options tuning;
    tune(scene, tuning);
    auto encoder = av_encoder::open(settings, tuning);
    if (!encoder) return core::fail(source.uri, std::move(encoder.error()));
    return source_ptr{new synthetic_source{source, scene, std::move(*encoder)}};
  }

  [[nodiscard]] const source_traits& traits() const noexcept override { return traits_; }
  [[nodiscard]] core::codec_ptr codec() const override { return codec_; }
  [[nodiscard]] std::uint64_t frames() const noexcept override { return scene_.frames; }

  [[nodiscard]] core::expected<core::packet_ptr> read() override {
    while (true) {
      if (source_.stop.stop_requested()) return core::fail(errc::cancelled, "asked to stop");
      auto packet = encoder_.receive();
      if (!packet) return core::fail(source_.uri, std::move(packet.error()));
      if (*packet) return wrap(std::move(**packet));
      if (finished_) return core::fail(errc::end_of_stream, source_.uri);
      if (auto fed = feed(); !fed) return tl::unexpected{std::move(fed.error())};
    }
  }

 private:
  synthetic_source(const source_options& source, const synthetic_options& scene, av_encoder encoder)
      : source_{source}, scene_{scene}, traits_{"synthetic", scene.live, scene.frames != 0},
        encoder_{std::move(encoder)}, timeline_{source.origin, core::media_time{0}} {
    core::codec_description d;
    const auto& c = encoder_.context();
    d.codec = avcodec_get_name(c.codec_id);
    const auto* extradata = reinterpret_cast<const std::byte*>(c.extradata);
    d.extradata.assign(extradata, extradata + c.extradata_size);
    d.width_px = c.width;
    d.height_px = c.height;
    d.reorder_frames = c.has_b_frames;
    d.frames_per_s = scene.frames_per_s;
    classifier_ = make_classifier(d);
    codec_ = std::make_shared<const core::codec_description>(std::move(d));
  }

  core::expected<void> feed() {
    if (scene_.frames != 0 && next_ == scene_.frames) {
      finished_ = true;
      return encoder_.finish();
    }
    if (scene_.live && !wait()) return core::fail(errc::cancelled, "asked to stop");
    const auto frame = draw_scene(scene_, static_cast<std::uint32_t>(next_));
    return encoder_.send(frame->view, static_cast<std::int64_t>(next_++));
  }

  /// Until the next frame is due; false when asked to stop.
  bool wait() {
    if (next_ == 0) start_ = core::clock::now();
    const std::chrono::duration<double> offset{static_cast<double>(next_) / scene_.frames_per_s};
    std::mutex mutex;
    std::unique_lock lock{mutex};
    std::condition_variable_any never;
    never.wait_until(lock, source_.stop, start_ + std::chrono::duration_cast<core::clock::duration>(offset),
                     [] { return false; });
    return !source_.stop.stop_requested();
  }

  core::packet_ptr wrap(av_ptr<AVPacket> source) {
    const auto base = encoder_.context().time_base;
    const auto time = [&](std::int64_t stamp) { return core::media_time{av_rescale_q(stamp, base, microsecond_base)}; };
    auto packet = std::make_shared<core::packet>();
    packet->bytes = {reinterpret_cast<const std::byte*>(source->data), static_cast<std::size_t>(source->size)};
    const auto kind = classifier_->classify(
        packet->bytes, {(source->flags & AV_PKT_FLAG_KEY) != 0, (source->flags & AV_PKT_FLAG_DISPOSABLE) != 0});
    packet->access = kind.access;
    packet->disposable = kind.disposable;
    packet->shown = kind.shown;
    packet->duration = time(1);
    const auto times = timeline_.fix({time(source->pts), time(source->dts), packet->duration});
    packet->pts = times.pts;
    packet->dts = times.dts;
    packet->captured = core::clock::now();
    packet->owner = std::shared_ptr<AVPacket>(std::move(source));
    return packet;
  }

  source_options source_;
  synthetic_options scene_;
  source_traits traits_;
  av_encoder encoder_;
  timeline timeline_;
  core::codec_ptr codec_;
  std::unique_ptr<packet_classifier> classifier_;
  core::time_point start_{};
  std::uint64_t next_ = 0;
  bool finished_ = false;
};

std::optional<core::expected<source_traits>> describe(const std::string& uri) {
  if (!uri.starts_with("synthetic://")) return std::nullopt;
  const auto scene = parse_synthetic_uri(uri);
  if (!scene) return tl::unexpected{scene.error()};
  return source_traits{"synthetic", scene->live, scene->frames != 0};
}

core::expected<source_ptr> open(const source_options& options) {
  const auto scene = parse_synthetic_uri(options.uri);
  if (!scene) return tl::unexpected{scene.error()};
  return synthetic_source::open(options, *scene);
}

} // namespace

const source_kind synthetic_kind{describe, open};

} // namespace penstock::media
