#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/ids.hpp"
#include "core/packet.hpp"
#include "core/result.hpp"
#include "dispatch/checkpoint.hpp"

namespace penstock::dispatch {

// ---- what the dispatcher asks for

/// The worker is to open a decoder. `live`: somebody waits for it, as it is of a live stream or a request; otherwise
/// this uses one of the worker's credits.
struct send_open {
  core::worker_id worker;
  core::segment_id segment;
  core::codec_ptr codec;
  bool live = false;
};

/// The worker is to decode this packet. Exactly the wanted ones need an outcome; the others are references, or frames
/// that have theirs already.
struct send_packet {
  core::worker_id worker;
  core::segment_id segment;
  std::uint32_t ordinal = 0;
  core::packet_ptr packet;
  bool wanted = true;
};

/// The worker has all packets: it is to flush the decoder, send the outcomes, and then done.
struct send_close {
  core::worker_id worker;
  core::segment_id segment;
};

/// The worker is to forget the segment and owes nothing for it. Its credit it grants again as ever.
struct revoke {
  core::worker_id worker;
  core::segment_id segment;
};

/// The source may push this many more packets. Lossless streams only; others need no grants.
struct grant {
  core::stream_id stream;
  std::uint32_t packets = 0;
};

/// The segment was given up; its remaining frames are dropped by separate actions. `packets` is what is still retained,
/// for whoever wants to look into it.
struct quarantine {
  core::segment_id segment;
  std::string reason;
  core::codec_ptr codec;
  std::vector<core::packet_ptr> packets;
};

/// The worker was silent for too long and is out; it must join anew under a new id.
struct worker_expired {
  core::worker_id worker;
};

/// For the collector: this frame gets no result.
struct drop_frame {
  core::result_id id;
  core::drop_reason reason = core::drop_reason::shed;
};

using dispatcher_action =
    std::variant<send_open, send_packet, send_close, revoke, grant, quarantine, worker_expired, drop_frame>;

// ---- what the collector asks for

/// For the stream's sinks: in presentation order, once. To be acknowledged.
struct emit {
  core::frame_result result;
};

/// All frames of the stream are accounted for; comes once, last.
struct stream_finished {
  core::stream_id stream;
};

/// For the dispatcher: a worker's outcome of this frame was accepted.
struct frame_resolved {
  core::result_id id;
};

/// For the dispatcher: so many more frames have left the collector in order, delivered to sinks or dropped.
struct frames_settled {
  core::stream_id stream;
  std::uint32_t count = 0;
};

using collector_action = std::variant<emit, checkpoint, stream_finished, frame_resolved, frames_settled>;

} // namespace penstock::dispatch
