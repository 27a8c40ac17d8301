#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/ids.hpp"
#include "core/packet.hpp"
#include "core/result.hpp"
#include "core/tensor.hpp"
#include "core/worker_figures.hpp"

/// What travels between the machines of a topology. docs/protocol.md describes how it looks on the wire.
namespace penstock::transport {

/// Version of the protocol: both ends of a link must have the same.
inline constexpr std::uint32_t protocol_version = 2;

// -- joining ----------------------------------------------------------------------------------------------------------

/// The first message of whoever dials. A worker that still loads its model says one with `warming`, and another when it
/// can work.
struct hello {
  std::uint32_t version = protocol_version;
  std::string software;            ///< "penstock 0.1.0", for logs
  std::string role;                ///< of the topology's `nodes`
  std::string name;                ///< of the process, unique in the fleet: host name and a random part unless given
  std::vector<std::string> stages; ///< what it runs
  std::uint32_t bulk_segments = 0; ///< lossless segments at the same time
  std::uint32_t live_streams = 0;
  std::string listen;        ///< where other roles may dial it; empty: nowhere
  std::string config_digest; ///< of its topology; empty: it wants the other end's
  /// What this process was before, in which life of the head (0: nothing): it is alive, so what it had did not kill it.
  core::worker_id former;
  std::uint32_t former_epoch = 0;
  std::string metrics;  ///< HOST:PORT where its metrics are served, as others reach it; empty: nowhere
  bool warming = false; ///< it is there, and takes nothing yet
  bool operator==(const hello&) const = default;
};

/// The answer of the head.
struct welcome {
  std::uint32_t version = protocol_version;
  core::worker_id worker;
  std::uint32_t epoch = 0; ///< this life of the head; messages about segments of another one are void
  std::chrono::milliseconds lease_timeout{0};
  std::string config_digest;
  std::string topology; ///< the whole file, resolved, where the hello had no digest; otherwise empty
  bool operator==(const welcome&) const = default;
};

/// The other answer: a version or a topology that do not fit, a role that is not wanted, or a peer that is not known
/// any more (`rejoin`: say hello again).
struct refused {
  std::uint32_t version = protocol_version;
  bool rejoin = false;
  std::string reason;
  bool operator==(const refused&) const = default;
};

/// Who runs a role that the receiver needs, whenever that changes: all addresses.
struct directory {
  std::string role;
  std::vector<std::string> addresses;
  bool operator==(const directory&) const = default;
};

/// Sent in both directions so that each end knows that the other is alive. A worker tells its head what it has done.
struct heartbeat {
  std::optional<core::worker_figures> figures; ///< of a worker
  bool operator==(const heartbeat&) const = default;
};

/// Take nothing new, finish what you have, say bye. To a head: about the worker of that name (`penstock drain`).
struct drain {
  std::string worker;
  bool operator==(const drain&) const = default;
};

/// The sender leaves in order; nothing is owed.
struct bye {
  std::string reason;
  bool operator==(const bye&) const = default;
};

// -- head → worker ----------------------------------------------------------------------------------------------------

struct open_segment {
  core::segment_id segment;
  core::codec_ptr codec;
  bool live = false;
};

struct sent_packet {
  std::uint32_t ordinal = 0;
  bool wanted = true;
  core::packet_ptr
      packet; ///< pts, dts, duration, access, disposable, damaged, shown and the payload travel; the rest not
};

/// Large payloads travel with their `packet_padding_bytes`, so that a decoder can read them where they arrive.
struct segment_packets {
  core::segment_id segment;
  std::vector<sent_packet> packets;
};

struct close_segment {
  core::segment_id segment;
  bool operator==(const close_segment&) const = default;
};

struct revoke_segment {
  core::segment_id segment;
  bool operator==(const revoke_segment&) const = default;
};

// -- worker → head ----------------------------------------------------------------------------------------------------

struct credit {
  std::uint32_t segments = 0;
  bool operator==(const credit&) const = default;
};

struct outcomes {
  std::vector<core::frame_outcome> outcomes;
};

struct segment_done {
  core::segment_id segment;
  bool operator==(const segment_done&) const = default;
};

struct segment_failed {
  core::segment_id segment;
  core::error reason;
  bool operator==(const segment_failed&) const = default;
};

// -- between workers of a cut pipeline --------------------------------------------------------------------------------

/// How many frames or tensors the receiver may have under way for the sender: all of it at first, then one for each
/// that was answered.
struct stage_credit {
  std::uint32_t items = 0;
  bool operator==(const stage_credit&) const = default;
};

/// A decoded frame on its way to preprocess.
struct frame_item {
  core::result_id id;
  bool live = false;
  core::stage_times times;
  core::frame_ptr frame; ///< in host memory
};

/// The same as JPEG.
struct jpeg_item {
  core::result_id id;
  bool live = false;
  core::stage_times times;
  std::shared_ptr<const void> owner;
  std::span<const std::byte> jpeg;
};

/// A preprocessed frame on its way to inference: one image of the model's input.
struct tensor_item {
  core::result_id id;
  bool live = false;
  core::stage_times times;
  std::array<std::int32_t, 8> geometry{};            ///< the members of kernels::geometry, in their order
  core::element_type type = core::element_type::f32; ///< f32 or f16, whatever the model takes
  std::vector<std::int64_t> shape;
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

using message = std::variant<hello, welcome, refused, directory, heartbeat, drain, bye, open_segment, segment_packets,
                             close_segment, revoke_segment, credit, outcomes, segment_done, segment_failed,
                             stage_credit, frame_item, jpeg_item, tensor_item>;

/// Name of a message for logs and metrics, e.g. "segment_packets".
[[nodiscard]] std::string_view name_of(const message& m) noexcept;

} // namespace penstock::transport
