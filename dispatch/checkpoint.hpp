#pragma once

#include <cstdint>

#include "core/ids.hpp"

namespace penstock::dispatch {

/// How far a lossless stream is safely done: every frame of every segment before `segment` has been acknowledged by the
/// sinks or was dropped for good. Comes at most once for a segment, in order; where several segments are done at once,
/// for the last one. Plain numbers, to be written down for the head's next life.
///
/// Frames dropped for `shutdown` or `cancelled`, and segments that were cut short because the source was stopped, are
/// not done: the checkpoint stays before them. There is none for a stream's end; whoever knows that its source ended by
/// itself knows at `stream_finished` that nothing is left.
struct checkpoint {
  core::stream_id stream;
  std::uint64_t segment = 0; ///< the first one that is not done
  std::uint64_t seq = 0;     ///< frames before it in presentation order: those of earlier segments, and refused ones
                             ///< before those
  std::uint64_t packets = 0; ///< packets of the source before its first one
};

/// Where a stream goes on that an earlier life of the head has begun.
///
/// The source is read from its beginning; packets of segments before `segment` are cut and sampled as ever and then
/// passed over, which is a few hundred nanoseconds each. So segments, their numbers and ordinals, and the choice of
/// frames are those of a run without interruption, and no state of segmenter or sampler needs to be kept.
struct resume_point {
  std::uint64_t segment = 0; ///< as in the checkpoint, likewise the next two
  std::uint64_t seq = 0;
  std::uint64_t packets = 0;
  /// All sinks have what they will ever have of the frames before this one (by seq): those are not emitted again and
  /// count as delivered. One past the last frame of the sink that has the fewest.
  std::uint64_t delivered_before = 0;
};

} // namespace penstock::dispatch
