#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/packet.hpp"
#include "core/result.hpp"

namespace penstock::dispatch {

/// A segment begins; its packets follow.
struct segment_opened {
  std::uint64_t number = 0;
  core::codec_ptr codec;
};

/// A packet of an open segment. `ordinal` counts all packets of the segment in sending order, those that are only
/// decoded as well, so segment and ordinal are the frame's result id.
struct segment_appended {
  std::uint64_t number = 0;
  std::uint32_t ordinal = 0;
  core::packet_ptr packet;
  bool owned = true; ///< its frame belongs to this segment; false: decode only (another segment's, or never shown)
};

/// Nothing more comes for this segment.
struct segment_closed {
  std::uint64_t number = 0;
};

/// A packet that no decoder can decode, so it is in no segment. In presentation order it stands before segment
/// `before` (which may be open already). It is a received frame only if `packet->shown`.
struct packet_refused {
  core::packet_ptr packet;
  core::drop_reason reason = core::drop_reason::no_keyframe;
  std::uint64_t before = 0;
};

using segment_event = std::variant<segment_opened, segment_appended, segment_closed, packet_refused>;

/// Cuts one stream into segments, each of which one decoder can decode alone, without losing a frame. Frames in
/// presentation order are: segments in order, inside a segment by pts.
///
/// - Before the first random access point packets are refused (`no_keyframe`).
/// - A closed keyframe ends what is open and begins the next segment.
/// - An open keyframe K begins the next segment, and the one before stays open: packets right behind K that are shown
///   before it (leading pictures) may refer to the group before, so they go there, behind a copy of K that is decoded
///   only. The first packet that is not shown before K, or any other random access point, ends the earlier segment.
///   Where there is no group before (start, change of codec) leading pictures are refused.
///
/// Every packet pushed comes out exactly once as owned, not shown or refused; only K's copy comes out besides.
/// Not thread-safe.
class segmenter {
 public:
  /// `min_packets`: a random access point is no cut while the segment has fewer packets than this. More than 1 saves
  /// overhead where every packet is a keyframe, and costs parallelism.
  explicit segmenter(core::codec_ptr codec, std::uint32_t min_packets = 1);

  /// The stream's next packet, in decode order.
  void push(const core::packet_ptr& packet, std::vector<segment_event>& out);

  /// What follows was encoded anew: another codec, another size, or the same camera after an interruption. Closes what
  /// is open; packets before the next random access point are refused.
  void set_codec(core::codec_ptr codec, std::vector<segment_event>& out);

  /// The stream ends: closes what is open.
  void finish(std::vector<segment_event>& out);

 private:
  struct part {
    std::uint64_t number = 0;
    std::uint32_t packets = 0;
  };

  void push_leading(const core::packet_ptr& packet, std::vector<segment_event>& out);
  void open(std::vector<segment_event>& out);
  void append(part& to, const core::packet_ptr& packet, bool owned, std::vector<segment_event>& out);
  static void close(std::optional<part>& which, std::vector<segment_event>& out);

  core::codec_ptr codec_;
  std::uint32_t min_packets_;
  std::uint64_t next_number_ = 0;
  std::optional<part> current_;
  std::optional<part> earlier_;    ///< open beside `current_` while leading pictures may come
  core::packet_ptr open_keyframe_; ///< set while leading pictures may come
  bool keyframe_copied_ = false;
};

} // namespace penstock::dispatch
