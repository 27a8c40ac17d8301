#include "media/decoder.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <string>

#include "media/av/ffmpeg.hpp"
#include "media/av/nvdec.hpp"
#include "media/frames.hpp"
#include "media/picture_header.hpp"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace penstock::media {

namespace {

/// No decoder holds back more frames than this (H.264 and HEVC: 16), so a packet overtaken by more is lost.
constexpr int most_reordered = 16;

/// Of a JPEG: encoders make about ten, and each costs as much as a plain picture.
constexpr std::size_t most_scans = 64;

AVCodecID codec_id(const std::string& name) {
  const auto* known = avcodec_descriptor_get_by_name(name.c_str());
  return known ? known->id : AV_CODEC_ID_NONE;
}

bool is_on_gpu(AVPixelFormat format) {
  const auto* shape = av_pix_fmt_desc_get(format);
  return shape && (shape->flags & AV_PIX_FMT_FLAG_HWACCEL);
}

} // namespace

struct decoder::impl {
  /// A packet whose outcome is owed. FFmpeg knows it by `number`, which travels as the packet's pts: that survives
  /// reordering in every decoder, whatever the real time stamps are like.
  struct owed {
    std::int64_t number;
    std::uint64_t key;
    bool damaged;
    int overtaken = 0;
  };

  decode_options options;
  std::string codec;
  av_ptr<AVCodecContext> context;
  av_ptr<AVPacket> packet{checked(av_packet_alloc())};
  std::shared_ptr<nvdec> gpu; ///< null: nothing is decoded on one
  scaler convert;
  std::deque<owed> open;
  std::deque<decoded> ready;
  std::int64_t next_number = 0;
  bool refused_size = false;
  bool unusable = false; ///< an error of `send`: what it still holds is not to be trusted

  static AVPixelFormat choose_format(AVCodecContext* context, const AVPixelFormat* offered) {
    const auto& self = *static_cast<const impl*>(context->opaque);
    return self.gpu->choose_format(*context, offered, self.options.max_pixels);
  }

  static int get_buffer(AVCodecContext* context, AVFrame* frame, int flags) {
    auto& self = *static_cast<impl*>(context->opaque);
    const auto pixels = static_cast<std::uint64_t>(frame->width) * static_cast<std::uint64_t>(frame->height);
    if (pixels > self.options.max_pixels) {
      self.refused_size = true;
      return AVERROR(ERANGE);
    }
    return avcodec_default_get_buffer2(context, frame, flags);
  }

  core::expected<void> start(const core::codec_description& description);
  core::expected<void> feed(const core::packet& source, std::int64_t number);
  core::expected<void> decode(const core::packet& whole, std::int64_t number);
  core::expected<void> collect();
  void settle(std::int64_t number, core::expected<core::frame_ptr> outcome);
  core::expected<void> take(av_ptr<AVFrame> frame);

  tl::unexpected<core::error> too_large(std::uint64_t width, std::uint64_t height) const {
    return core::fail(core::errc::too_large,
                      fmt::format("{}x{} is beyond max_pixels {}", width, height, options.max_pixels));
  }

  /// Whether the machine failed, and not the stream: memory, or the GPU.
  [[nodiscard]] bool is_ours(int code) const {
    return code == AVERROR(ENOMEM) ||
           (is_on_gpu(context->pix_fmt) && (code == AVERROR_EXTERNAL || code == AVERROR_UNKNOWN));
  }

  [[nodiscard]] tl::unexpected<core::error> broken(int code) const {
    const auto* place = is_on_gpu(context->pix_fmt) ? " on the GPU: " : ": ";
    return core::fail(core::errc::engine, codec + place + av_text(code));
  }

  tl::unexpected<core::error> failed(int code) const {
    if (refused_size || code == AVERROR(ERANGE))
      return core::fail(core::errc::too_large, fmt::format("the frame is beyond max_pixels {}", options.max_pixels));
    if (code == AVERROR_PATCHWELCOME || code == AVERROR(ENOSYS))
      return core::fail(core::errc::unsupported, codec + ": " + av_text(code));
    return core::fail(core::errc::corrupt, codec + ": " + av_text(code));
  }
};

core::expected<void> decoder::impl::start(const core::codec_description& d) {
  init_ffmpeg();
  codec = d.codec;
  const auto pixels =
      static_cast<std::uint64_t>(std::max(0, d.width_px)) * static_cast<std::uint64_t>(std::max(0, d.height_px));
  if (pixels > options.max_pixels)
    return too_large(static_cast<std::uint64_t>(d.width_px), static_cast<std::uint64_t>(d.height_px));
  const auto* library = avcodec_find_decoder(codec_id(d.codec));
  if (!library) return core::fail(core::errc::unsupported, fmt::format("no decoder for codec '{}'", d.codec));

  context.reset(checked(avcodec_alloc_context3(library)));
  context->opaque = this;
  context->get_buffer2 = get_buffer;
  context->thread_count = options.threads;
  context->thread_type = FF_THREAD_SLICE; // a frame's own threads: packets in, frames and errors out, one by one
  context->pkt_timebase = microsecond_base;
  context->codec_tag = d.tag;
  context->width = d.width_px;
  context->height = d.height_px;
  context->has_b_frames = d.reorder_frames;
  if (!d.pixel_format.empty()) context->pix_fmt = av_get_pix_fmt(d.pixel_format.c_str());
  if (library->id == AV_CODEC_ID_AV1) { // dav1d has its own allocator, which heeds this limit, and its own threads
    context->flags |= AV_CODEC_FLAG_LOW_DELAY;
    context->max_pixels = static_cast<std::int64_t>(std::min<std::uint64_t>(options.max_pixels, INT32_MAX));
  }
  if (options.cuda_device && (gpu = nvdec::attach(*context, *library, *options.cuda_device)))
    context->get_format = choose_format;
  if (options.effort == decode_effort::fast) context->skip_loop_filter = AVDISCARD_NONREF;
  if (!d.extradata.empty()) {
    const auto size = d.extradata.size();
    context->extradata = static_cast<std::uint8_t*>(checked(av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE)));
    context->extradata_size = static_cast<int>(size);
    std::memcpy(context->extradata, d.extradata.data(), size);
  }
  if (const int code = avcodec_open2(context.get(), library, nullptr); code < 0)
    return core::fail(core::errc::corrupt, fmt::format("decoder {}: {}", library->name, av_text(code)));
  return {};
}

core::expected<void> decoder::impl::feed(const core::packet& source, std::int64_t number) {
  static_assert(core::packet_padding_bytes >= AV_INPUT_BUFFER_PADDING_SIZE);
  auto owner = std::make_unique<std::shared_ptr<const void>>(source.owner);
  auto* data = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(source.bytes.data()));
  packet->buf = checked(av_buffer_create(
      data, source.bytes.size(),
      [](void* opaque, std::uint8_t*) { delete static_cast<std::shared_ptr<const void>*>(opaque); }, owner.get(),
      AV_BUFFER_FLAG_READONLY));
  (void)owner.release(); // the buffer has it now
  packet->data = data;
  packet->size = static_cast<int>(source.bytes.size());
  packet->pts = number;
  packet->dts = AV_NOPTS_VALUE;
  packet->flags = source.access == core::random_access::none ? 0 : AV_PKT_FLAG_KEY;
  refused_size = false;
  const int code = avcodec_send_packet(context.get(), packet.get());
  av_packet_unref(packet.get());
  if (code < 0 && is_ours(code)) return broken(code);
  if (code < 0) settle(number, failed(code));
  return {};
}

core::expected<void> decoder::impl::collect() {
  while (true) {
    av_ptr<AVFrame> frame{checked(av_frame_alloc())};
    const int code = avcodec_receive_frame(context.get(), frame.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code < 0 && is_ours(code)) return broken(code);
    if (code < 0) { // about the packet sent last: with one thread nothing else is being decoded
      settle(next_number - 1, failed(code));
      continue;
    }
    if (auto taken = take(std::move(frame)); !taken) return taken;
  }
}

core::expected<void> decoder::impl::take(av_ptr<AVFrame> frame) {
  const auto number = frame->pts;
  const auto asked = std::find_if(open.begin(), open.end(), [&](const owed& o) { return o.number == number; });
  if (asked != open.end()) {
    if (asked->damaged || (frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags) {
      settle(number, core::fail(core::errc::corrupt, codec + ": the frame is damaged"));
    } else if (frame->format == AV_PIX_FMT_CUDA) {
      auto copied = gpu->take(std::move(frame));
      if (!copied) return core::fail(codec, std::move(copied.error()));
      settle(number, std::move(copied));
    } else {
      settle(number, from_av(std::move(frame), convert));
    }
  }
  while (!open.empty() && open.front().overtaken > most_reordered)
    settle(open.front().number, core::fail(core::errc::corrupt, codec + ": the packet gave no frame"));
  return {};
}

void decoder::impl::settle(std::int64_t number, core::expected<core::frame_ptr> outcome) {
  auto at = open.begin();
  for (; at != open.end() && at->number < number; ++at) ++at->overtaken;
  if (at == open.end() || at->number != number) return;
  ready.push_back({at->key, std::move(outcome)});
  open.erase(at);
}

decoder::decoder(std::unique_ptr<impl> state) : impl_{std::move(state)} {}
decoder::decoder(decoder&&) noexcept = default;
decoder& decoder::operator=(decoder&&) noexcept = default;
decoder::~decoder() = default;

core::expected<decoder> decoder::open(const core::codec_description& codec, const decode_options& options) {
  auto state = std::make_unique<impl>();
  state->options = options;
  if (auto started = state->start(codec); !started) return tl::unexpected{std::move(started.error())};
  return decoder{std::move(state)};
}

core::expected<void> decoder::send(const core::packet& packet, std::uint64_t key, bool wanted) {
  auto& self = *impl_;
  if (!wanted && packet.disposable) return {};
  const auto number = self.next_number++;
  if (wanted && packet.shown) self.open.push_back({number, key, packet.damaged});
  if (packet.bytes.empty()) {
    self.settle(number, core::fail(core::errc::corrupt, "the packet is empty"));
    return {};
  }
  if (const auto picture = parse_picture_header(packet.bytes); picture && picture->codec == self.codec) {
    if (picture->pixels() > self.options.max_pixels) {
      self.settle(number, self.too_large(picture->width_px, picture->height_px));
      return {};
    }
    if (self.codec == "mjpeg" && !jpeg_is_complete(packet.bytes)) {
      self.settle(number, core::fail(core::errc::corrupt, "the JPEG has no end"));
      return {};
    }
    if (self.codec == "mjpeg" && count_jpeg_scans(packet.bytes) > most_scans) {
      self.settle(number, core::fail(core::errc::corrupt, "the JPEG goes over its picture too often"));
      return {};
    }
    if (self.codec == "png") {
      if (auto shown = png_without_texts(packet.bytes); !shown.empty()) {
        shown.resize(shown.size() + core::packet_padding_bytes);
        const auto kept = std::make_shared<const std::vector<std::byte>>(std::move(shown));
        auto bare = packet;
        bare.bytes = std::span{*kept}.first(kept->size() - core::packet_padding_bytes);
        bare.owner = kept;
        return self.decode(bare, number);
      }
    }
  }
  return self.decode(packet, number);
}

core::expected<void> decoder::impl::decode(const core::packet& whole, std::int64_t number) {
  auto done = feed(whole, number);
  if (done) done = collect();
  unusable = !done;
  return done;
}
std::optional<decoded> decoder::receive() {
  auto& ready = impl_->ready;
  if (ready.empty()) return std::nullopt;
  auto next = std::move(ready.front());
  ready.pop_front();
  return next;
}

core::expected<void> decoder::flush() {
  auto& self = *impl_;
  // What the H.264 decoder holds back behind a recovery point it knows to be whole only when it lets go of it in the
  // regular way; draining, it would drop it.
  self.context->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
  (void)avcodec_send_packet(self.context.get(), nullptr); // cannot fail but for being at the end already
  core::expected<void> collected;
  if (!self.unusable) collected = self.collect();
  self.context->flags &= ~AV_CODEC_FLAG_OUTPUT_CORRUPT;
  avcodec_flush_buffers(self.context.get());
  for (const auto& lost : self.open)
    self.ready.push_back({lost.key, core::fail(core::errc::corrupt, self.codec + ": the packet gave no frame")});
  self.open.clear();
  self.unusable = false;
  return collected;
}

} // namespace penstock::media
