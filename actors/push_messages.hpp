#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/messages.hpp"
#include "dispatch/ledger.hpp"
#include "topology/streams_config.hpp"
#include "transport/raw_door.hpp"

/// What pushed streams need between the hub's thread, the push gate and the head.
namespace penstock::actors {

// -- hub → gate

/// A message of a program, in parts.
struct pushed_message {
  transport::peer_id peer;
  std::shared_ptr<std::vector<transport::shared_bytes>> parts;
};

/// A program's connection ended.
struct pusher_gone {
  transport::peer_id peer;
  core::error why;
};

/// Gate to itself: look at deadlines.
struct push_tick {};

// -- gate → head

/// A producer brings a stream. Answered with `push_admitted` or `push_refused`; its packets come as `source_packets`.
struct push_opening {
  std::string name;
  core::codec_ptr codec;
  std::optional<topology::stream_policy> policy; ///< what the producer wants
};

// -- head → gate

struct push_admitted {
  std::string name;
  core::stream_id stream;
  bool lossless = false;
  std::chrono::milliseconds away{0}; ///< how long its producer may be gone
};

struct push_refused {
  std::string name;
  std::string why;
};

/// The lossless stream may send so many more packets.
struct push_grant {
  core::stream_id stream;
  std::uint32_t packets = 0;
};

/// So many packets of a live stream were taken.
struct push_taken {
  core::stream_id stream;
  std::uint32_t packets = 0;
};

/// The stream is over, and all its results are out.
struct push_finished {
  core::stream_id stream;
  dispatch::ledger ledger;
};

/// The head's side of the gate.
using push_gate_actor =
    caf::typed_actor<caf::reacts_to<pushed_message>, caf::reacts_to<pusher_gone>, caf::reacts_to<push_tick>,
                     caf::reacts_to<push_admitted>, caf::reacts_to<push_refused>, caf::reacts_to<push_grant>,
                     caf::reacts_to<push_taken>, caf::reacts_to<push_finished>>;

} // namespace penstock::actors

PENSTOCK_LOCAL_MESSAGE(pushed_message)
PENSTOCK_LOCAL_MESSAGE(pusher_gone)
PENSTOCK_LOCAL_MESSAGE(push_tick)
PENSTOCK_LOCAL_MESSAGE(push_opening)
PENSTOCK_LOCAL_MESSAGE(push_admitted)
PENSTOCK_LOCAL_MESSAGE(push_refused)
PENSTOCK_LOCAL_MESSAGE(push_grant)
PENSTOCK_LOCAL_MESSAGE(push_taken)
PENSTOCK_LOCAL_MESSAGE(push_finished)
