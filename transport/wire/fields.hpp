#pragma once

#include <type_traits>

#include "transport/message.hpp"
#include "transport/wire/reader.hpp"
#include "transport/wire/writer.hpp"

/// The fields of every message, in their order on the wire, once for both directions. A change here is a change of the
/// protocol: golden bytes pin it, docs/protocol.md describes it.
namespace penstock::transport {

template <class A, class T>
using ref = std::conditional_t<A::reading, T&, const T&>;

// -- values
// -------------------------------------------------------------------------------------------------------------

template <class A>
void fields(A& a, ref<A, core::worker_id> v) {
  a(v.value);
}
template <class A>
void fields(A& a, ref<A, core::segment_id> v) {
  a(v.stream.value, v.epoch, v.number);
}
template <class A>
void fields(A& a, ref<A, core::result_id> v) {
  a(v.segment, v.ordinal);
}
template <class A>
void fields(A& a, ref<A, core::error> v) {
  a(v.code, v.message);
}
template <class A>
void fields(A& a, ref<A, core::codec_description> v) {
  a(v.codec, v.tag, v.extradata, v.width_px, v.height_px, v.reorder_frames, v.pixel_format, v.frames_per_s);
}
template <class A>
void fields(A& a, ref<A, core::box> v) {
  a(v.x, v.y, v.w, v.h);
}
template <class A>
void fields(A& a, ref<A, core::detection> v) {
  a(v.class_index, v.score, v.box, v.track);
}
template <class A>
void fields(A& a, ref<A, core::stage_times> v) {
  a(v.decode, v.preprocess, v.inference, v.postprocess);
}
template <class A>
void fields(A& a, ref<A, core::stage_figures> v) {
  a(v.stage, v.items, v.busy, v.works_on, v.parallel);
  if constexpr (A::reading) {
    if (v.busy < v.busy.zero()) a.fail(core::errc::corrupt, "a time that is negative");
  }
}
template <class A>
void fields(A& a, ref<A, core::worker_figures> v) {
  a(v.phase, v.stages);
  if constexpr (A::reading) {
    if (v.stages.size() > core::all_stages.size())
      a.fail(core::errc::too_large, fmt::format("figures of {} stages", v.stages.size()));
  }
}
template <class A>
void fields(A& a, ref<A, core::frame_outcome> v) {
  a(v.id, v.dropped, v.objects, v.width_px, v.height_px, v.times);
  if constexpr (A::reading) {
    if (v.objects.size() > a.limits().objects)
      a.fail(core::errc::too_large, fmt::format("{} objects in a frame", v.objects.size()));
  }
}

// -- what comes with payloads (payloads.cpp)
// ----------------------------------------------------------------------------

void fields(writer& w, const core::packet& v);
void fields(reader& r, core::packet& v);
void fields(writer& w, const core::frame& v);
void fields(reader& r, core::frame& v);
void fields(writer& w, const jpeg_item& v);
void fields(reader& r, jpeg_item& v);
void fields(writer& w, const tensor_item& v);
void fields(reader& r, tensor_item& v);

template <class A>
void fields(A& a, ref<A, sent_packet> v) {
  a(v.ordinal, v.wanted, v.packet);
}
template <class A>
void fields(A& a, ref<A, frame_item> v) {
  a(v.id, v.live, v.times, v.frame);
}

// -- messages
// -----------------------------------------------------------------------------------------------------------

template <class A>
void fields(A& a, ref<A, hello> v) {
  a(v.version, v.software, v.role, v.name, v.stages, v.bulk_segments, v.live_streams, v.listen, v.config_digest,
    v.former, v.former_epoch, v.metrics, v.warming);
}
template <class A>
void fields(A& a, ref<A, welcome> v) {
  a(v.version, v.worker, v.epoch, v.lease_timeout, v.config_digest, v.topology);
}
template <class A>
void fields(A& a, ref<A, refused> v) {
  a(v.version, v.rejoin, v.reason);
}
template <class A>
void fields(A& a, ref<A, directory> v) {
  a(v.role, v.addresses);
}
template <class A>
void fields(A& a, ref<A, heartbeat> v) {
  a(v.figures);
}
template <class A>
void fields(A& a, ref<A, drain> v) {
  a(v.worker);
}
template <class A>
void fields(A& a, ref<A, bye> v) {
  a(v.reason);
}
template <class A>
void fields(A& a, ref<A, open_segment> v) {
  a(v.segment, v.codec, v.live);
}
template <class A>
void fields(A& a, ref<A, segment_packets> v) {
  a(v.segment, v.packets);
}
template <class A>
void fields(A& a, ref<A, close_segment> v) {
  a(v.segment);
}
template <class A>
void fields(A& a, ref<A, revoke_segment> v) {
  a(v.segment);
}
template <class A>
void fields(A& a, ref<A, credit> v) {
  a(v.segments);
}
template <class A>
void fields(A& a, ref<A, outcomes> v) {
  a(v.outcomes);
}
template <class A>
void fields(A& a, ref<A, segment_done> v) {
  a(v.segment);
}
template <class A>
void fields(A& a, ref<A, segment_failed> v) {
  a(v.segment, v.reason);
}
template <class A>
void fields(A& a, ref<A, stage_credit> v) {
  a(v.items);
}

} // namespace penstock::transport
