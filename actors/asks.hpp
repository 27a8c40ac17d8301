#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/checkpoint.hpp"
#include "actors/result_sink.hpp"
#include "core/error.hpp"
#include "core/packet.hpp"
#include "core/result.hpp"
#include "dispatch/ledger.hpp"
#include "topology/expand.hpp"

/// What is asked of a head while it runs, by whoever stands in front of it. Functions in here are called once, on the
/// head's thread: they must neither block nor throw.
namespace penstock::actors {

class preview_viewer;

/// One picture that somebody waits for.
struct picture_ask {
  std::uint64_t ticket = 0; ///< for `picture_gone`
  core::packet_ptr packet;  ///< closed, and all there is
  core::codec_ptr codec;
  core::time_point deadline; ///< nothing is done for it after that
  /// Errors: `timeout`, `cancelled`, `unavailable` (the head stops), `corrupt`, `too_large`, `unsupported`, `internal`.
  std::function<void(core::expected<core::frame_result>)> done;
  std::shared_ptr<const void> watch{}; ///< kept until then
};

/// Nobody waits for it any more.
struct picture_gone {
  std::uint64_t ticket = 0;
};

/// How far a guest's stream is.
struct guest_step {
  stream_progress progress;
  dispatch::ledger ledger;
  std::uint64_t frames = 0; ///< of its source, an estimate; 0 when not known
};

/// How a guest's stream ended.
struct guest_end {
  dispatch::ledger ledger;
  std::optional<core::error> error; ///< of its source or its sink; `cancelled` where it was told to leave
};

/// What a guest brings in place of the topology's sinks.
struct guest_output {
  std::unique_ptr<result_sink> sink; ///< gets a thread of its own
  /// Where an earlier attempt was; the sink says (`next_seq`) what it has of it.
  std::optional<stream_progress> from;
  std::function<void(const guest_step&)> progressed; ///< whenever its progress has changed
  std::function<void(guest_end)> ended;              ///< the sink is closed
};

/// A stream that joins a running head. Refused (`invalid_argument`) where another one has its id, or `unavailable`
/// where the head stops.
struct guest_ask {
  topology::stream_source source;
  std::shared_ptr<guest_output> output; ///< null: the topology's sinks, for everybody to see
  std::function<void(core::expected<void>)> done;
};

/// What became of `guest_leave`.
enum class guest_left : std::uint8_t {
  leaving,
  unknown, ///< there is no such stream
  no_guest ///< it belongs to the topology
};

/// The guest's stream is to end: what was read is finished, or dropped (`cancelled`).
struct guest_leave {
  std::string id;
  bool drop = false;
  std::function<void(guest_left)> done;
};

/// Somebody wants to watch a stream. `not_found` where there is none of this id, or it has ended.
struct preview_ask {
  std::string id;
  std::function<void(core::expected<std::shared_ptr<preview_viewer>>)> done;
};

} // namespace penstock::actors
