#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/time.hpp"

namespace penstock::core {

/// Whether a decoder can start at a packet.
enum class random_access : std::uint8_t {
  none,   ///< it refers to earlier packets
  closed, ///< decoding can start here and nothing later refers to anything earlier (IDR, VP9 keyframe, every JPEG)
  open,   ///< decoding can start here, but leading pictures may follow that refer to the group before (CRA, recovery
          ///< point); also every keyframe of which nothing better is known
};

/// Readable zero bytes that every packet has behind its payload, since decoders read past the end.
inline constexpr std::size_t packet_padding_bytes = 64;

/// One compressed frame, immutable and shared. A packet is at most one frame that is shown.
struct packet {
  std::shared_ptr<const void> owner; ///< keeps `bytes` alive
  std::span<const std::byte> bytes;  ///< the payload, followed by `packet_padding_bytes` zeros
  media_time pts{0};                 ///< presentation time on the stream's timeline, always set
  media_time dts{0};                 ///< decode time, always set, never decreasing within a stream
  media_time duration{0};            ///< how long the frame is shown; 0 when not known
  random_access access = random_access::none;
  bool disposable = false; ///< no other frame refers to it: it can be skipped without decoding
  bool damaged = false;    ///< the transport says that bytes are missing or wrong
  bool shown = true;       ///< false: it yields no frame of its own (hidden reference frames)
  time_point captured{};   ///< when the head received it
  std::string name;        ///< for picture streams: the picture's file name; otherwise empty
};

using packet_ptr = std::shared_ptr<const packet>;

/// All that a decoder needs to know before its first packet.
struct codec_description {
  std::string codec;                ///< libavcodec's name of the codec: "h264", "hevc", "vp9", "mjpeg", "png", …
  std::uint32_t tag = 0;            ///< the container's FourCC, 0 when there is none
  std::vector<std::byte> extradata; ///< out-of-band headers (avcC, hvcC, …)
  int width_px = 0;                 ///< as the container says; the frames themselves decide
  int height_px = 0;
  int reorder_frames = 0;   ///< how many frames the decoder holds back to restore presentation order
  std::string pixel_format; ///< libavutil's name; needed for raw video only
  double frames_per_s = 0;  ///< nominal rate, 0 when not known

  bool operator==(const codec_description&) const = default;
};

using codec_ptr = std::shared_ptr<const codec_description>;

} // namespace penstock::core
