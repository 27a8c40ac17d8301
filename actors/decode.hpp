#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "actors/busy_decoders.hpp"
#include "actors/messages.hpp"
#include "actors/preprocess.hpp"
#include "media/decoder.hpp"
#include "metrics/families.hpp"

namespace penstock::actors {

/// Decodes one segment, one packet a step, and sends its frames on as credit allows. One actor per open segment.
using decode_actor = caf::typed_actor<caf::reacts_to<segment_packets>, caf::reacts_to<close_segment>,
                                      caf::reacts_to<frame_credit>, caf::reacts_to<decode_step>>;

struct decode_config {
  media::decode_options options;
  std::shared_ptr<credit_pool> credits; ///< of the slots behind preprocess
  std::shared_ptr<busy_decoders> busy;  ///< counts this one while it has something to do
  metrics::stage_series metrics;
  metrics::stage_series next_metrics; ///< of preprocess, whose queue it fills
};

struct decode_state {
  static inline const char* name = "decode";

  void open(decode_actor::pointer self, const decode_config& config, const open_segment& lease, preprocess_actor next,
            worker_inbox worker);

  void add(const segment_packets& message);
  void close();
  void resume(const frame_credit& message);
  /// Does one packet's work, or waits for credit, packets, or the end.
  void step();

 private:
  struct ready_frame {
    std::uint32_t ordinal = 0;
    core::frame_ptr frame;
    std::chrono::microseconds decode_time{0};
  };

  void wake();
  [[nodiscard]] bool has_work() const noexcept;
  [[nodiscard]] bool finished() const noexcept;
  void decode_next();
  void take_frames(core::time_point began);
  void refuse(std::uint32_t ordinal, core::drop_reason reason);
  bool send_frame();
  void finish();

  decode_actor::pointer self_ = nullptr;
  decode_config config_;
  open_segment lease_;
  preprocess_actor next_;
  worker_inbox worker_;
  std::optional<media::decoder> decoder_;
  std::optional<core::drop_reason> unusable_; ///< why there is no decoder
  std::deque<leased_packet> packets_;
  std::size_t wanted_waiting_ = 0; ///< wanted packets in `packets_`
  std::size_t wanted_inside_ = 0;  ///< wanted packets the decoder has not answered
  std::deque<ready_frame> ready_;
  std::vector<core::frame_outcome> refused_;
  credit credit_;
  std::uint64_t outcomes_ = 0; ///< frames sent on or refused
  bool closed_ = false;
  bool flushed_ = false;
  bool stepping_ = false; ///< a decode_step is on its way
  busy_mark busy_;
  bool awaiting_credit_ = false; ///< a claim stands in the pool
};

decode_actor::behavior_type decode(decode_actor::stateful_pointer<decode_state> self, const decode_config& config,
                                   const open_segment& lease, const preprocess_actor& next, const worker_inbox& worker);

} // namespace penstock::actors
