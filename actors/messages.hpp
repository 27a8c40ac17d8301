#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "actors/caf_fwd.hpp"
#include "actors/credit_pool.hpp"
#include "actors/tensor_ring.hpp"
#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/ids.hpp"
#include "core/packet.hpp"
#include "core/result.hpp"
#include "inference/engine.hpp"
#include "kernels/geometry.hpp"

/// What travels between the actors of one process. All of it is immutable once sent; nothing is serialised by CAF.
namespace penstock::actors {

// -- head → worker ----------------------------------------------------------------------------------------------------

/// Whether anybody waits for what becomes of a lease. Its frames carry it, so that work which was called off is left
/// out wherever it has got to.
struct lease_mark {
  std::atomic<bool> called_off{false};
};

[[nodiscard]] inline bool is_called_off(const std::shared_ptr<const lease_mark>& mark) noexcept {
  return mark && mark->called_off.load(std::memory_order_relaxed);
}

/// A lease: decode this segment, whose packets follow.
struct open_segment {
  core::segment_id segment;
  core::codec_ptr codec;
  bool live = false;                        ///< its frames go before those of lossless streams
  std::shared_ptr<const lease_mark> mark{}; ///< set by the worker
};

struct leased_packet {
  std::uint32_t ordinal = 0; ///< within the segment, in decode order
  bool wanted = true;        ///< false: it is there for others to refer to
  core::packet_ptr packet;
};

/// The next packets of a leased segment.
struct segment_packets {
  core::segment_id segment;
  std::vector<leased_packet> packets;
};

/// The segment is complete.
struct close_segment {
  core::segment_id segment;
};

/// The lease is over; whatever is left of the segment shall be forgotten.
struct revoke_segment {
  core::segment_id segment;
};

// -- worker → head ----------------------------------------------------------------------------------------------------

/// A worker is there.
struct worker_hello {
  core::worker_id worker;
  std::uint32_t bulk_segments = 1; ///< lossless segments at the same time
  std::uint32_t live_streams = 0;
};

/// The worker takes so many more lossless segments.
struct worker_credit {
  core::worker_id worker;
  std::uint32_t segments = 1;
};

/// What became of some frames.
struct frame_outcomes {
  std::vector<core::frame_outcome> outcomes;
};

/// The worker has reported an outcome for every wanted frame of a segment.
struct segment_done {
  core::worker_id worker;
  core::segment_id segment;
};

/// The worker gives a segment up.
struct segment_failed {
  core::worker_id worker;
  core::segment_id segment;
  core::error reason;
};

// -- source → head ----------------------------------------------------------------------------------------------------

/// A source was opened for the first time.
struct source_opened {
  core::stream_id stream;
  core::codec_ptr codec;
  std::uint64_t frames = 0; ///< how many it has, an estimate; 0 when not known
};

/// Packets in decode order. With `codec` set the stream was encoded anew before them.
struct source_packets {
  core::stream_id stream;
  core::codec_ptr codec;
  std::vector<core::packet_ptr> packets;
};

/// The source is lost (`unavailable`) and is opened again, or a part of it cannot be read: for the log and the report.
struct source_trouble {
  core::stream_id stream;
  core::error what;
  bool reconnecting = false;
};

/// Nothing more comes; `error` says why if it is not the regular end.
struct source_ended {
  core::stream_id stream;
  std::optional<core::error> error;
};

/// The source may send so many more packets.
struct source_grant {
  std::uint32_t packets = 0;
};

/// Source to itself: read on.
struct source_read {};

// -- head → sink ------------------------------------------------------------------------------------------------------

/// A packet that a sink needs to see the frames of its results.
struct sink_packet {
  core::segment_id segment;
  core::codec_ptr codec;
  leased_packet packet;
};

/// Results in presentation order, and the packets of their frames that have not been sent before.
struct sink_results {
  std::vector<core::frame_result> results;
  std::vector<sink_packet> packets;
};

/// Nothing more comes: finish the output.
struct sink_close {};

/// A sink is done with its next results, in their order; whether it could write each.
struct sink_ack {
  core::stream_id stream;
  std::size_t sink = 0; ///< number of the sink in its stream
  std::vector<bool> written;
};

/// A sink that goes on where an earlier life of the head ended has found out where that is, or cannot go on.
struct sink_resumed {
  core::stream_id stream;
  std::size_t sink = 0;
  std::uint64_t next_seq = 0;   ///< frames before this one are in the output
  std::filesystem::path output; ///< what it really writes, where that is not what it was told
  std::optional<core::error> error;
};

/// The sink's output is complete, or what went wrong while finishing it.
struct sink_closed {
  core::stream_id stream;
  std::size_t sink = 0;
  std::optional<core::error> error;
};

// -- inside a worker --------------------------------------------------------------------------------------------------

/// A decoded frame on its way to a tensor slot.
struct frame_task {
  core::result_id id;
  core::frame_ptr frame;
  core::stage_times times;
  bool live = false;
  actors::credit credit; ///< for its slot
  std::shared_ptr<const lease_mark> mark{};
};

/// A slot was filled.
struct filled_slot {
  tensor_slot slot;
  core::result_id id;
  kernels::geometry geometry;
  core::stage_times times;
  bool live = false;
  actors::credit credit; ///< held until the engine has the batch
  std::shared_ptr<const lease_mark> mark{};
};

/// A batch on its way to an instance of the model.
struct batch_task {
  std::uint32_t instance = 0;
  tensor_batch_ptr batch;
  std::vector<filled_slot> items; ///< in the order of the batch
};

/// The instance is done with the batch's memory.
struct batch_done {
  std::uint32_t instance = 0;
  tensor_batch_ptr batch;
};

/// What the model said about a batch.
struct output_task {
  inference::outputs outputs;
  std::vector<filled_slot> items; ///< in the order of the outputs
};

/// Frames on their way to a lane of the device.
struct device_batch {
  std::uint32_t lane = 0;
  std::vector<frame_task> tasks;
};

/// Lane to itself: the device is done with its batch.
struct device_done {};

/// The lane takes a batch.
struct lane_idle {
  std::uint32_t lane = 0;
};

/// One frame may be sent.
struct frame_credit {
  actors::credit credit;
};

/// Decode is done with a segment, which will have so many outcomes.
struct decode_finished {
  core::segment_id segment;
  std::uint64_t outcomes = 0;
};

/// Decode cannot go on with a segment.
struct decode_failed {
  core::segment_id segment;
  core::error reason;
};

/// Decode to itself: go on with the next packet, after whoever else is due.
struct decode_step {};

/// Batcher to itself: the batch that began then has waited long enough.
struct batch_timer {
  std::uint64_t generation = 0;
};

/// Batcher to itself: images are gathering; look again after whoever else is due.
struct batch_again {};

/// What takes preprocessed images.
using slot_taker = caf::typed_actor<caf::reacts_to<filled_slot>>;

/// Where the stages behind decode report to.
using outcome_inbox = caf::typed_actor<caf::reacts_to<frame_outcomes>>;

/// Where the stages of a worker report to.
using worker_inbox =
    caf::typed_actor<caf::reacts_to<frame_outcomes>, caf::reacts_to<decode_finished>, caf::reacts_to<decode_failed>>;

} // namespace penstock::actors

#define PENSTOCK_LOCAL_MESSAGE(name) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(penstock::actors::name)
PENSTOCK_LOCAL_MESSAGE(open_segment)
PENSTOCK_LOCAL_MESSAGE(segment_packets)
PENSTOCK_LOCAL_MESSAGE(close_segment)
PENSTOCK_LOCAL_MESSAGE(revoke_segment)
PENSTOCK_LOCAL_MESSAGE(worker_hello)
PENSTOCK_LOCAL_MESSAGE(worker_credit)
PENSTOCK_LOCAL_MESSAGE(frame_outcomes)
PENSTOCK_LOCAL_MESSAGE(segment_done)
PENSTOCK_LOCAL_MESSAGE(segment_failed)
PENSTOCK_LOCAL_MESSAGE(source_opened)
PENSTOCK_LOCAL_MESSAGE(source_packets)
PENSTOCK_LOCAL_MESSAGE(source_trouble)
PENSTOCK_LOCAL_MESSAGE(source_ended)
PENSTOCK_LOCAL_MESSAGE(source_grant)
PENSTOCK_LOCAL_MESSAGE(source_read)
PENSTOCK_LOCAL_MESSAGE(sink_results)
PENSTOCK_LOCAL_MESSAGE(sink_close)
PENSTOCK_LOCAL_MESSAGE(sink_ack)
PENSTOCK_LOCAL_MESSAGE(sink_closed)
PENSTOCK_LOCAL_MESSAGE(sink_resumed)
PENSTOCK_LOCAL_MESSAGE(frame_task)
PENSTOCK_LOCAL_MESSAGE(filled_slot)
PENSTOCK_LOCAL_MESSAGE(batch_task)
PENSTOCK_LOCAL_MESSAGE(batch_done)
PENSTOCK_LOCAL_MESSAGE(output_task)
PENSTOCK_LOCAL_MESSAGE(device_batch)
PENSTOCK_LOCAL_MESSAGE(device_done)
PENSTOCK_LOCAL_MESSAGE(lane_idle)
PENSTOCK_LOCAL_MESSAGE(frame_credit)
PENSTOCK_LOCAL_MESSAGE(decode_finished)
PENSTOCK_LOCAL_MESSAGE(decode_failed)
PENSTOCK_LOCAL_MESSAGE(decode_step)
PENSTOCK_LOCAL_MESSAGE(batch_timer)
PENSTOCK_LOCAL_MESSAGE(batch_again)
