#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "actors/decode.hpp"
#include "actors/messages.hpp"

namespace penstock::actors {

/// What a head sends to a worker, wherever it runs.
using worker_actor = caf::typed_actor<caf::reacts_to<open_segment>, caf::reacts_to<segment_packets>,
                                      caf::reacts_to<close_segment>, caf::reacts_to<revoke_segment>>;

/// What a worker sends to its head.
using head_inbox =
    caf::typed_actor<caf::reacts_to<worker_hello>, caf::reacts_to<worker_credit>, caf::reacts_to<frame_outcomes>,
                     caf::reacts_to<segment_done>, caf::reacts_to<segment_failed>>;

struct worker_config {
  core::worker_id id;
  std::uint32_t bulk_segments = 1;  ///< lossless segments decoded at the same time
  std::uint32_t live_streams = 256; ///< live streams taken
};

/// Makes the decode actor of one segment.
using decoder_factory = std::function<decode_actor(const open_segment&, const worker_inbox&)>;

/// Keeps the leases of one worker: a decode actor each, and when all of a segment's frames are answered.
struct worker_state {
  static inline const char* name = "worker";

  struct lease {
    decode_actor decoder;
    std::shared_ptr<lease_mark> mark;
    bool live = false;
    std::uint64_t answered = 0;            ///< outcomes so far
    std::optional<std::uint64_t> outcomes; ///< all of them; set when decode is done
  };

  /// Counts outcomes of frames; returns (and forgets) the segments that are complete with them.
  [[nodiscard]] std::vector<core::segment_id> count(const frame_outcomes& message);
  /// Notes how many outcomes a segment has; true (and forgotten) when it is complete.
  [[nodiscard]] bool finish_decode(const decode_finished& message);

  worker_config config;
  std::map<core::segment_id, lease> leases;
};

using local_worker =
    caf::typed_actor<caf::reacts_to<open_segment>, caf::reacts_to<segment_packets>, caf::reacts_to<close_segment>,
                     caf::reacts_to<revoke_segment>, caf::reacts_to<frame_outcomes>, caf::reacts_to<decode_finished>,
                     caf::reacts_to<decode_failed>>;

local_worker::behavior_type worker(local_worker::stateful_pointer<worker_state> self, const worker_config& config,
                                   const decoder_factory& make_decoder, const head_inbox& head);

} // namespace penstock::actors
