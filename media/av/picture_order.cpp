#include "media/av/picture_order.hpp"

#include <cstring>

namespace penstock::media {

std::optional<picture_order> picture_order::for_stream(const AVFormatContext& format,
                                                       const AVCodecParameters& parameters) {
  const bool h264 = std::strcmp(format.iformat->name, "h264") == 0;
  if (!h264 && std::strcmp(format.iformat->name, "hevc") != 0) return std::nullopt;
  av_ptr<AVCodecContext> codec{checked(avcodec_alloc_context3(nullptr))};
  av_ptr<AVCodecParserContext> parser{av_parser_init(parameters.codec_id)};
  if (!parser || avcodec_parameters_to_context(codec.get(), &parameters) < 0) return std::nullopt;
  parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
  return picture_order{std::move(codec), std::move(parser), h264 ? 2 : 1};
}

raw_times picture_order::next(const AVPacket& packet, bool restarts, core::media_time frame_time) {
  std::uint8_t* out = nullptr;
  int size = 0;
  (void)av_parser_parse2(parser_.get(), codec_.get(), &out, &size, packet.data, packet.size, AV_NOPTS_VALUE,
                         AV_NOPTS_VALUE, -1);
  if (restarts) base_ = packets_;
  const auto shown = base_ * frame_time + parser_->output_picture_number * frame_time / counts_per_frame_;
  return {shown, packets_++ * frame_time, frame_time};
}

} // namespace penstock::media
