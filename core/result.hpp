#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/detection.hpp"
#include "core/ids.hpp"
#include "core/time.hpp"

namespace penstock::core {

/// Why a received frame has no result. Every frame that is not delivered carries exactly one of these.
enum class drop_reason : std::uint8_t {
  sampled,      ///< `decode.sample_fps` asked for fewer frames
  corrupt,      ///< its packet cannot be decoded
  no_keyframe,  ///< it came before the first keyframe, so nothing can decode it
  too_large,    ///< beyond `media.max_pixels`
  unsupported,  ///< no decoder or preprocess kernel for it
  shed,         ///< a live stream was too far behind
  slow_sink,    ///< a live stream's sink took no more
  sink_error,   ///< a sink failed to write it
  engine_error, ///< inference failed on it
  poison,       ///< its segment failed on too many workers
  shutdown,     ///< the program was asked to stop before it was done
  deadline,     ///< its request's deadline passed
  cancelled,    ///< whoever wanted it does not any more
};

inline constexpr std::size_t drop_reason_count = 13;

inline constexpr std::array<drop_reason, drop_reason_count> all_drop_reasons{
    drop_reason::sampled,      drop_reason::corrupt, drop_reason::no_keyframe, drop_reason::too_large,
    drop_reason::unsupported,  drop_reason::shed,    drop_reason::slow_sink,   drop_reason::sink_error,
    drop_reason::engine_error, drop_reason::poison,  drop_reason::shutdown,    drop_reason::deadline,
    drop_reason::cancelled};

/// Name in metrics, ledgers and documents, e.g. "no_keyframe".
[[nodiscard]] std::string_view to_string(drop_reason reason) noexcept;

/// How long the frame took in each stage; zero where it did not pass.
struct stage_times {
  std::chrono::microseconds decode{0};
  std::chrono::microseconds preprocess{0};
  std::chrono::microseconds inference{0};
  std::chrono::microseconds postprocess{0};
};

/// What became of one frame on a worker: its objects, or the reason why there are none.
struct frame_outcome {
  result_id id;
  std::optional<drop_reason> dropped;
  std::vector<detection> objects; ///< best score first
  int width_px = 0;               ///< of the decoded frame
  int height_px = 0;
  stage_times times;
};

/// The outcome of a frame without a result.
[[nodiscard]] inline frame_outcome dropped_outcome(const result_id& id, drop_reason reason) {
  frame_outcome outcome;
  outcome.id = id;
  outcome.dropped = reason;
  return outcome;
}

/// A frame's result as sinks see it: in presentation order, once.
struct frame_result {
  result_id id;
  std::uint64_t seq = 0; ///< the frame's number in its stream, in presentation order from 0, before sampling
  media_time pts{0};
  std::vector<detection> objects;
  int width_px = 0;
  int height_px = 0;
  std::string name; ///< picture streams: the picture's file name
  time_point captured{};
  stage_times times;
};

} // namespace penstock::core
