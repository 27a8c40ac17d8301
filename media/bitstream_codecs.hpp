#pragma once

/// Inside this room only: one classifier a codec.

#include <memory>

#include "media/bitstream.hpp"

namespace penstock::media {

using classifier_ptr = std::unique_ptr<packet_classifier>;

/// ITU-T H.264. Exact starting points are IDR pictures and recovery points with a recovery count of 0.
[[nodiscard]] classifier_ptr make_h264_classifier(const core::codec_description& codec);

/// ITU-T H.265. IDR (its RADL pictures decode from it) and BLA are closed, CRA is open. RASL pictures that no decoder
/// shows (behind a BLA, or a CRA at the start of the stream) are not `shown`.
[[nodiscard]] classifier_ptr make_hevc_classifier(const core::codec_description& codec);

/// ISO/IEC 14496-2. An I-VOP is open unless its GOV header or the absence of B-VOPs says otherwise.
[[nodiscard]] classifier_ptr make_mpeg4_classifier(const core::codec_description& codec);

/// ISO/IEC 11172-2 and 13818-2.
[[nodiscard]] classifier_ptr make_mpeg2_classifier(const core::codec_description& codec);

/// RFC 6386. VP8 and VP9 frames without references still leave adapted probabilities or motion vectors behind, so none
/// is disposable.
[[nodiscard]] classifier_ptr make_vp8_classifier(const core::codec_description& codec);
[[nodiscard]] classifier_ptr make_vp9_classifier(const core::codec_description& codec);

/// AV1 bitstream specification, section 5.
[[nodiscard]] classifier_ptr make_av1_classifier(const core::codec_description& codec);

} // namespace penstock::media
