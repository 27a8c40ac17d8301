#pragma once

/// Inside this room only: H.264 whose fields come in packets of their own (interlaced transport streams).

#include <optional>

#include "core/packet.hpp"
#include "media/av/ffmpeg.hpp"

namespace penstock::media {

/// Tells the second fields, which give no frame of their own.
class field_pairing {
 public:
  /// Only for streams that say they are interlaced H.264; there is nothing to pair in others.
  [[nodiscard]] static std::optional<field_pairing> for_stream(const AVCodecParameters& parameters);

  /// What a packet is, in decode order.
  enum class part { frame, first_field, second_field };
  [[nodiscard]] part next(const AVPacket& packet);

 private:
  field_pairing() = default;

  av_ptr<AVCodecParserContext> parser_;
  av_ptr<AVCodecContext> context_;
  int unpaired_ = 0; ///< picture structure of a first field that waits for its second, or 0
};

} // namespace penstock::media
