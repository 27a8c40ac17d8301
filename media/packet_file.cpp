#include "media/packet_file.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <memory>

extern "C" {
#include <libavutil/pixdesc.h>
}

#include "media/av/ffmpeg.hpp"

namespace penstock::media {

using core::errc;

namespace {

struct output_deleter {
  void operator()(AVFormatContext* p) const noexcept {
    avio_closep(&p->pb);
    avformat_free_context(p);
  }
};

void describe(AVCodecParameters& to, AVCodecID id, const core::codec_description& codec) {
  to.codec_type = AVMEDIA_TYPE_VIDEO;
  to.codec_id = id;
  to.width = codec.width_px;
  to.height = codec.height_px;
  to.video_delay = codec.reorder_frames;
  if (!codec.pixel_format.empty()) to.format = av_get_pix_fmt(codec.pixel_format.c_str());
  if (codec.extradata.empty()) return;
  const auto size = codec.extradata.size();
  to.extradata = static_cast<std::uint8_t*>(checked(av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE)));
  std::memcpy(to.extradata, codec.extradata.data(), size);
  to.extradata_size = static_cast<int>(size);
}

} // namespace

core::expected<void> write_packet_file(const std::string& path, const core::codec_description& codec,
                                       std::span<const core::packet_ptr> packets) {
  init_ffmpeg();
  if (packets.empty()) return core::fail(errc::invalid_argument, path + ": no packets");
  const auto* known = avcodec_descriptor_get_by_name(codec.codec.c_str());
  if (!known) return core::fail(errc::unsupported, fmt::format("{}: FFmpeg here has no '{}'", path, codec.codec));
  AVFormatContext* context = nullptr;
  if (avformat_alloc_output_context2(&context, nullptr, "nut", nullptr) < 0)
    return core::fail(errc::unsupported, "this FFmpeg cannot write NUT");
  const std::unique_ptr<AVFormatContext, output_deleter> format{context};
  const auto failed = [&](int code, errc what = errc::io) {
    return core::fail(what, fmt::format("{}: {}", path, av_text(code)));
  };

  auto& stream = *checked(avformat_new_stream(context, nullptr));
  describe(*stream.codecpar, known->id, codec);
  stream.time_base = microsecond_base;
  if (codec.frames_per_s > 0) stream.avg_frame_rate = av_d2q(codec.frames_per_s, 100'000);
  if (const int code = avio_open(&context->pb, ("file:" + path).c_str(), AVIO_FLAG_WRITE); code < 0)
    return failed(code);
  if (const int code = avformat_write_header(context, nullptr); code < 0) return failed(code, errc::unsupported);

  auto zero = packets.front()->dts;
  for (const auto& packet : packets) zero = std::min({zero, packet->dts, packet->pts});
  const av_ptr<AVPacket> out{checked(av_packet_alloc())};
  std::int64_t last = -1;
  for (const auto& packet : packets) {
    out->data = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(packet->bytes.data())); // only read
    out->size = static_cast<int>(packet->bytes.size());
    out->dts = std::max<std::int64_t>((packet->dts - zero).count(), last + 1); // each must be later than the one before
    out->pts = std::max<std::int64_t>((packet->pts - zero).count(), out->dts);
    out->duration = packet->duration.count();
    out->flags = packet->access == core::random_access::none ? 0 : AV_PKT_FLAG_KEY;
    last = out->dts;
    av_packet_rescale_ts(out.get(), microsecond_base, stream.time_base);
    if (const int code = av_write_frame(context, out.get()); code < 0) return failed(code);
  }
  if (const int code = av_write_trailer(context); code < 0) return failed(code);
  const int code = avio_closep(&context->pb);
  return code < 0 ? core::expected<void>{failed(code)} : core::expected<void>{};
}

} // namespace penstock::media
