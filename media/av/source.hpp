#pragma once

/// Inside this room only: what libavformat can open, as packets.

#include <optional>
#include <string>

#include "media/av/ffmpeg.hpp"
#include "media/av/picture_order.hpp"
#include "media/bitstream.hpp"
#include "media/field_pairing.hpp"
#include "media/source.hpp"
#include "media/timeline.hpp"
#include "media/vop_order.hpp"

extern "C" {
#include <libavcodec/bsf.h>
}

namespace penstock::media {

/// How to reach an input, as a kind of source decides.
struct av_input {
  std::string url;              ///< for libavformat
  std::string name;             ///< for messages
  const char* format = nullptr; ///< libavformat's name of the demuxer; null: probe
  source_traits traits;
};

class av_source final : public packet_source {
 public:
  /// `tuning`: options for libavformat.
  [[nodiscard]] static core::expected<std::unique_ptr<av_source>> open(const source_options& options, av_input input,
                                                                       av_options& tuning);

  [[nodiscard]] const source_traits& traits() const noexcept override { return input_.traits; }
  [[nodiscard]] core::codec_ptr codec() const override { return codec_; }
  [[nodiscard]] std::uint64_t frames() const noexcept override { return frames_; }
  [[nodiscard]] core::expected<core::packet_ptr> read() override;

  /// Where another source may continue the timeline.
  [[nodiscard]] core::media_time end() const noexcept { return timeline_->end(); }

 private:
  struct format_deleter {
    void operator()(AVFormatContext* p) const noexcept { avformat_close_input(&p); }
  };
  struct bsf_deleter {
    void operator()(AVBSFContext* p) const noexcept { av_bsf_free(&p); }
  };

  av_source(const source_options& options, av_input input) : options_{options}, input_{std::move(input)} {}

  core::expected<void> connect(av_options& tuning);
  core::expected<void> choose_stream();
  core::expected<void> unpack();
  void describe(const AVCodecParameters& parameters);
  [[nodiscard]] bool remote() const;
  void set_deadline(std::chrono::milliseconds limit);
  [[nodiscard]] tl::unexpected<core::error> failed(int code);
  [[nodiscard]] core::expected<av_ptr<AVPacket>> next();
  [[nodiscard]] core::expected<av_ptr<AVPacket>> next_in_time();
  [[nodiscard]] core::packet_ptr wrap(av_ptr<AVPacket> packet);
  void take_headers(const AVPacket& packet);

  source_options options_;
  av_input input_;
  core::time_point deadline_{};
  std::unique_ptr<AVFormatContext, format_deleter> format_;
  std::unique_ptr<AVBSFContext, bsf_deleter> unpacker_; ///< MPEG-4 in AVI: two frames in one packet
  std::optional<vop_order> order_;
  AVStream* stream_ = nullptr;
  core::codec_ptr codec_;
  std::unique_ptr<packet_classifier> classifier_;
  std::optional<field_pairing> fields_;
  std::optional<picture_order> picture_order_;
  std::optional<timeline> timeline_;
  core::media_time frame_time_{0};
  std::uint64_t frames_ = 0;
  int failures_ = 0; ///< in a row
  bool ended_ = false;
};

} // namespace penstock::media
