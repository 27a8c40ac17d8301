#include "media/field_pairing.hpp"

namespace penstock::media {

std::optional<field_pairing> field_pairing::for_stream(const AVCodecParameters& parameters) {
  if (parameters.codec_id != AV_CODEC_ID_H264 || parameters.field_order <= AV_FIELD_PROGRESSIVE) return std::nullopt;
  field_pairing pairing;
  pairing.parser_.reset(av_parser_init(parameters.codec_id));
  if (!pairing.parser_) return std::nullopt;
  pairing.parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
  pairing.context_.reset(checked(avcodec_alloc_context3(nullptr)));
  if (avcodec_parameters_to_context(pairing.context_.get(), &parameters) < 0) return std::nullopt;
  return pairing;
}

field_pairing::part field_pairing::next(const AVPacket& packet) {
  std::uint8_t* data = nullptr;
  int size = 0;
  (void)av_parser_parse2(parser_.get(), context_.get(), &data, &size, packet.data, packet.size, packet.pts, packet.dts,
                         packet.pos);
  const int structure = parser_->picture_structure;
  if (structure != AV_PICTURE_STRUCTURE_TOP_FIELD && structure != AV_PICTURE_STRUCTURE_BOTTOM_FIELD) {
    unpaired_ = 0;
    return part::frame;
  }
  if (unpaired_ != 0 && unpaired_ != structure) {
    unpaired_ = 0;
    return part::second_field;
  }
  unpaired_ = structure;
  return part::first_field;
}

} // namespace penstock::media
