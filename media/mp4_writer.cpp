#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <thread>

#include "media/av_encoder.hpp"
#include "media/encoder.hpp"

namespace penstock::media {

using core::errc;

namespace {

constexpr AVRational video_clock{1, 90'000};

/// A crash loses at most this much.
constexpr double fragment_s = 2;

int even(int value) { return value & ~1; }

av_encoder_settings settings_for(const mp4_options& options, const core::frame_view& first) {
  av_encoder_settings s;
  s.encoders = {"libx264", "libopenh264", "mpeg4"};
  s.width_px = even(options.width_px > 0 ? options.width_px : first.width_px);
  s.height_px = even(options.height_px > 0 ? options.height_px : first.height_px);
  s.matrix = first.matrix;
  s.time_base = video_clock;
  s.frame_rate = av_d2q(options.frames_per_s, 100'000);
  s.gop_frames = std::max(1, static_cast<int>(std::lround(options.frames_per_s * fragment_s)));
  s.threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency() / 2, 1U, 4U));
  s.global_header = true;
  const auto* codec = find_encoder(s.encoders);
  if (codec && codec->id == AV_CODEC_ID_MPEG4) {
    s.quantizer = 1 + options.quality / 4; // 23: about the same size on the eye's side of equal
    s.time_base = {1, 30'000};             // MPEG-4 part 2 counts in 16 bits
  }
  return s;
}

} // namespace

struct mp4_writer::impl {
  struct format_deleter {
    void operator()(AVFormatContext* p) const noexcept {
      avio_closep(&p->pb);
      avformat_free_context(p);
    }
  };

  mp4_options options;
  std::unique_ptr<AVFormatContext, format_deleter> format;
  std::optional<av_encoder> encoder; ///< from the first frame on, which decides the colour matrix
  AVStream* stream = nullptr;
  std::optional<core::media_time> first;
  std::int64_t last_pts = -1;
  std::optional<core::error> broken;
  bool closed = false;

  core::expected<void> create();
  core::expected<void> start(const core::frame_view& view);
  core::expected<void> drain();
  core::expected<void> write(const core::frame_view& view, core::media_time pts);
  core::expected<void> finish();

  tl::unexpected<core::error> failed(int code) const {
    return core::fail(errc::io, fmt::format("{}: {}", options.path, av_text(code)));
  }

  core::expected<void> keep(core::expected<void> result) {
    if (!result) broken = result.error();
    return result;
  }
};

core::expected<void> mp4_writer::impl::create() {
  init_ffmpeg();
  AVFormatContext* context = nullptr;
  if (avformat_alloc_output_context2(&context, nullptr, "mp4", nullptr) < 0)
    return core::fail(errc::unsupported, "this FFmpeg cannot write MP4");
  format.reset(context);
  const int code = avio_open(&context->pb, ("file:" + options.path).c_str(), AVIO_FLAG_WRITE);
  return code < 0 ? core::expected<void>{failed(code)} : core::expected<void>{};
}

core::expected<void> mp4_writer::impl::start(const core::frame_view& view) {
  const auto settings = settings_for(options, view);
  if (settings.width_px < 2 || settings.height_px < 2)
    return core::fail(errc::invalid_argument,
                      fmt::format("{}: {}x{} is too small", options.path, settings.width_px, settings.height_px));
  av_options tuning;
  tuning.set("preset", "veryfast");
  tuning.set("crf", std::to_string(options.quality));
  auto opened = av_encoder::open(settings, tuning);
  if (!opened) return core::fail(options.path, std::move(opened.error()));
  encoder.emplace(std::move(*opened));

  stream = checked(avformat_new_stream(format.get(), nullptr));
  stream->time_base = settings.time_base;
  stream->avg_frame_rate = settings.frame_rate;
  if (const int code = avcodec_parameters_from_context(stream->codecpar, &encoder->context()); code < 0)
    return failed(code);
  av_options muxing;
  muxing.set("movflags", "+frag_keyframe+delay_moov+default_base_moof");
  format->flags |= AVFMT_FLAG_FLUSH_PACKETS;
  const int code = avformat_write_header(format.get(), muxing.get());
  return code < 0 ? core::expected<void>{failed(code)} : core::expected<void>{};
}

core::expected<void> mp4_writer::impl::drain() {
  while (true) {
    auto next = encoder->receive();
    if (!next) return tl::unexpected{std::move(next.error())};
    if (!*next) break;
    auto& packet = ***next;
    packet.stream_index = stream->index;
    if (packet.duration == 0)
      packet.duration = av_rescale_q(1, av_inv_q(stream->avg_frame_rate), encoder->context().time_base);
    av_packet_rescale_ts(&packet, encoder->context().time_base, stream->time_base);
    if (const int code = av_interleaved_write_frame(format.get(), &packet); code < 0) return failed(code);
  }
  // the muxer does not look at what becomes of its writes
  return format->pb->error < 0 ? core::expected<void>{failed(format->pb->error)} : core::expected<void>{};
}

core::expected<void> mp4_writer::impl::write(const core::frame_view& view, core::media_time pts) {
  if (!encoder)
    if (auto started = start(view); !started) return started;
  if (!first) first = pts;
  const auto stamp = av_rescale_q((pts - *first).count(), microsecond_base, encoder->context().time_base);
  last_pts = std::max(stamp, last_pts + 1);
  if (auto sent = encoder->send(view, last_pts); !sent) return core::fail(options.path, std::move(sent.error()));
  return drain();
}

core::expected<void> mp4_writer::impl::finish() {
  if (encoder) {
    auto done = encoder->finish();
    if (done) done = drain();
    if (!done) return done;
    if (const int code = av_write_trailer(format.get()); code < 0) return failed(code);
  }
  const int code = avio_closep(&format->pb);
  return code < 0 ? core::expected<void>{failed(code)} : core::expected<void>{};
}

mp4_writer::mp4_writer(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
mp4_writer::mp4_writer(mp4_writer&&) noexcept = default;
mp4_writer& mp4_writer::operator=(mp4_writer&&) noexcept = default;

mp4_writer::~mp4_writer() {
  if (!impl_) return;
  if (const auto closed = close(); !closed) spdlog::error("{}", closed.error().message);
}

core::expected<mp4_writer> mp4_writer::open(const mp4_options& options) {
  const auto wrong = [&](std::string what) { return core::fail(errc::invalid_argument, options.path + ": " + what); };
  if (options.width_px < 0 || options.height_px < 0) return wrong("negative size");
  if (!(options.frames_per_s > 0 && options.frames_per_s <= 1000))
    return wrong(fmt::format("frame rate {} is not between 0 and 1000", options.frames_per_s));
  if (options.quality < 0 || options.quality > 51)
    return wrong(fmt::format("quality {} is not 0 to 51", options.quality));
  auto state = std::make_unique<impl>();
  state->options = options;
  if (auto created = state->create(); !created) return tl::unexpected{std::move(created.error())};
  return mp4_writer{std::move(state)};
}

core::expected<void> mp4_writer::write(const core::frame_view& view, core::media_time pts) {
  if (impl_->broken) return tl::unexpected{*impl_->broken};
  if (impl_->closed) return core::fail(errc::invalid_argument, impl_->options.path + ": is closed");
  return impl_->keep(impl_->write(view, pts));
}

core::expected<void> mp4_writer::close() {
  if (impl_->closed || impl_->broken) return {};
  impl_->closed = true;
  return impl_->keep(impl_->finish());
}

} // namespace penstock::media
