#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>

#include "actors/messages.hpp"
#include "media/backoff.hpp"
#include "media/source.hpp"

namespace penstock::actors {

/// Reads one stream and pushes its packets to the head: a live one at its own pace, a lossless one within its grants.
/// Detached, since reading blocks. Lost connections of endless sources are opened again, with backoff.
using source_actor = caf::typed_actor<caf::reacts_to<source_grant>, caf::reacts_to<source_read>>;

/// What a source sends to its head.
using source_outlet = caf::typed_actor<caf::reacts_to<source_opened>, caf::reacts_to<source_packets>,
                                       caf::reacts_to<source_trouble>, caf::reacts_to<source_ended>>;

struct source_config {
  core::stream_id stream;
  media::source_options open; ///< its `stop` ends the actor, also in the middle of a blocking read
  bool live = false;          ///< reads without grants
  bool finite = true;         ///< a lost connection is the end
  media::backoff_config backoff;
  std::uint64_t jitter_seed = 0;
};

struct source_state {
  static inline const char* name = "source";

  void start(source_actor::pointer self, const source_config& config, source_outlet head);
  void grant(const source_grant& message);
  void read();

 private:
  void open();
  void read_packets();
  void pace(const core::packet& packet);
  void handle(const core::error& trouble);
  void end(std::optional<core::error> error);
  void read_soon();

  source_actor::pointer self_ = nullptr;
  source_config config_;
  source_outlet head_;
  media::backoff backoff_;
  std::mt19937_64 jitter_;
  std::unique_ptr<media::packet_source> source_;
  core::packet_ptr first_;                      ///< read while opening
  core::codec_ptr codec_;                       ///< of the packets sent so far
  core::media_time reached_{0};                 ///< end of the timeline so far
  std::optional<core::time_point> pace_origin_; ///< when the timeline began, for files that play as if live
  std::uint32_t granted_ = 0;
  bool announced_ = false;
  bool reading_ = false; ///< a source_read is on its way
  bool ended_ = false;
};

source_actor::behavior_type source(source_actor::stateful_pointer<source_state> self, const source_config& config,
                                   const source_outlet& head);

} // namespace penstock::actors
