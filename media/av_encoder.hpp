#pragma once

/// Inside this room only: libavcodec's encoders.

#include <optional>
#include <string>
#include <vector>

#include "core/frame.hpp"
#include "media/av/ffmpeg.hpp"
#include "media/frames.hpp"

namespace penstock::media {

struct av_encoder_settings {
  std::vector<std::string> encoders; ///< libavcodec's names, the first that this FFmpeg has is taken
  int width_px = 0;
  int height_px = 0;
  core::pixel_format format = core::pixel_format::i420;
  core::color_matrix matrix = core::color_matrix::bt601;
  core::color_range range = core::color_range::limited;
  AVRational time_base = microsecond_base;
  AVRational frame_rate{25, 1};
  int gop_frames = 0; ///< 0: the encoder's own choice
  int b_frames = -1;  ///< -1: the encoder's own choice
  std::int64_t bit_rate = 0;
  int quantizer = 0; ///< for encoders with a fixed quantizer scale (MPEG-4, MJPEG): 1 to 31, 0: none
  int threads = 1;
  bool global_header = false; ///< headers go to extradata only
};

class av_encoder {
 public:
  /// `tuning`: options of the encoder; those it does not know are ignored. `unsupported` when FFmpeg has none of them.
  [[nodiscard]] static core::expected<av_encoder> open(const av_encoder_settings& settings, av_options& tuning);

  /// Encodes a copy of the view, converted and scaled where it differs.
  [[nodiscard]] core::expected<void> send(const core::frame_view& view, std::int64_t pts);
  /// No more frames; `receive` then gives what is left.
  [[nodiscard]] core::expected<void> finish();
  [[nodiscard]] core::expected<std::optional<av_ptr<AVPacket>>> receive();

  [[nodiscard]] const AVCodecContext& context() const noexcept { return *context_; }
  /// The encoder's name, e.g. "libx264".
  [[nodiscard]] const char* name() const noexcept { return context_->codec->name; }

 private:
  av_ptr<AVCodecContext> context_;
  av_ptr<AVFrame> frame_;
  core::frame_view target_; ///< shape of frame_
  scaler convert_;
};

/// The name of the first of these encoders that this FFmpeg has, or null.
[[nodiscard]] const AVCodec* find_encoder(const std::vector<std::string>& names);

} // namespace penstock::media
