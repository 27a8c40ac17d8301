#pragma once

#include "actors/result_sink.hpp"

namespace penstock::actors::sinks {

/// One JSON object a line (actors/result_json.hpp). The file always holds whole lines, also after a full disk or a
/// signal.
[[nodiscard]] core::expected<std::unique_ptr<result_sink>> open_jsonl(const sink_context& context);

/// An MP4 video of the frames with boxes, labels and track ids drawn in.
[[nodiscard]] core::expected<std::unique_ptr<result_sink>> open_mp4(const sink_context& context);

/// Results of all streams by one ZeroMQ PUB socket: the stream's id, then the JSON object. Slow subscribers lose.
[[nodiscard]] core::expected<std::unique_ptr<result_sink>> open_zmq(const sink_context& context);

} // namespace penstock::actors::sinks
