#pragma once

#include <cstdint>
#include <optional>

#include "core/time.hpp"
#include "media/av/ffmpeg.hpp"
#include "media/timeline.hpp"

namespace penstock::media {

/// Times for raw H.264 and HEVC, whose files have none: from the picture order count, which the codec's own headers
/// carry. It counts frames of HEVC and fields of H.264 (as every common encoder has it), and starts anew at each IDR.
class picture_order {
 public:
  /// Empty where the container has times, or the codec is another.
  [[nodiscard]] static std::optional<picture_order> for_stream(const AVFormatContext& format,
                                                               const AVCodecParameters& parameters);

  /// The times of the next packet in decode order; `restarts`: its picture order count starts anew.
  [[nodiscard]] raw_times next(const AVPacket& packet, bool restarts, core::media_time frame_time);

 private:
  picture_order(av_ptr<AVCodecContext> codec, av_ptr<AVCodecParserContext> parser, int counts_per_frame)
      : codec_{std::move(codec)}, parser_{std::move(parser)}, counts_per_frame_{counts_per_frame} {}

  av_ptr<AVCodecContext> codec_;
  av_ptr<AVCodecParserContext> parser_;
  int counts_per_frame_;
  std::int64_t packets_ = 0;
  std::int64_t base_ = 0; ///< packets before the one whose count is 0
};

} // namespace penstock::media
