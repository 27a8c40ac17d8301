#include "media/bitstream.hpp"

#include "media/av/ffmpeg.hpp"
#include "media/bitstream_codecs.hpp"

namespace penstock::media {

namespace {

using core::random_access;

/// Every frame stands alone.
class intra_only_classifier final : public packet_classifier {
 public:
  packet_class classify(std::span<const std::byte>, container_flags) override {
    return {random_access::closed, true, true};
  }
};

/// A codec whose headers nobody here reads: the container's word, which does not say whether leading pictures follow.
class container_classifier final : public packet_classifier {
 public:
  explicit container_classifier(bool reorders) : key_{reorders ? random_access::open : random_access::closed} {}

  packet_class classify(std::span<const std::byte>, container_flags flags) override {
    return {flags.key ? key_ : random_access::none, flags.disposable, true};
  }

 private:
  random_access key_;
};

} // namespace

std::unique_ptr<packet_classifier> make_classifier(const core::codec_description& codec) {
  static constexpr std::pair<std::string_view, std::unique_ptr<packet_classifier> (*)(const core::codec_description&)>
      table[]{
          {"h264", make_h264_classifier},        {"hevc", make_hevc_classifier}, {"mpeg4", make_mpeg4_classifier},
          {"mpeg1video", make_mpeg2_classifier}, {"vp8", make_vp8_classifier},   {"mpeg2video", make_mpeg2_classifier},
          {"vp9", make_vp9_classifier},          {"av1", make_av1_classifier},
      };
  for (const auto& [name, make] : table)
    if (name == codec.codec) return make(codec);
  const auto* known = avcodec_descriptor_get_by_name(codec.codec.c_str());
  const int traits = known ? known->props : AV_CODEC_PROP_REORDER;
  if (traits & AV_CODEC_PROP_INTRA_ONLY) return std::make_unique<intra_only_classifier>();
  return std::make_unique<container_classifier>((traits & AV_CODEC_PROP_REORDER) != 0);
}

} // namespace penstock::media
