#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/packet.hpp"
#include "transport/wire.hpp"

/// The protocol by which programs push video to a head (docs/protocol.md): a ZeroMQ message is a msgpack map with
/// string keys, so that any language writes it easily, and for packets a second part with the payload.
namespace penstock::transport::push {

/// What a producer wants to happen when it brings more than can be worked on.
enum class policy : std::uint8_t { live, lossless };

// -- producer → head --------------------------------------------------------------------------------------------------

/// A stream begins, comes back, or (while it runs) is encoded anew from the next packet on.
struct open {
  std::string stream;
  core::codec_description codec;
  std::optional<push::policy> policy; ///< where the head leaves it open
  bool again = false;                 ///< this producer had the stream open before: its account, if it is over
};

/// One frame, in decode order. The head works out by itself where a decoder can start.
struct packet {
  std::string stream; ///< may be empty where the connection has one
  std::int64_t pts_us = 0;
  std::optional<std::int64_t> dts_us; ///< pts_us where the codec does not reorder
  std::int64_t duration_us = 0;       ///< 0: not known
  bool key = false;                   ///< as the encoder says; used where the codec's own headers say nothing
  bool shown = true;                  ///< false: it yields no frame of its own
  bool damaged = false;               ///< bytes are missing
  std::string name;                   ///< of a picture
  shared_bytes bytes;
};

/// Nothing more comes.
struct end {
  std::string stream;
};

// -- head → producer --------------------------------------------------------------------------------------------------

/// So many more packets may be sent.
struct credit {
  std::string stream;
  std::uint32_t packets = 0;
  std::uint64_t received = 0; ///< packets of the stream that the head has, from all connections
  push::policy policy = push::policy::live;
};

/// The stream is over and all its results are out: its account in frames.
struct done {
  std::string stream;
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::map<std::string, std::uint64_t> dropped; ///< by reason
};

/// The connection is refused: whatever else it sends is thrown away. With `stream`: only that stream was refused.
struct error {
  std::string stream;
  std::string message;
};

/// Says nothing: to see whether the connection is there.
struct alive {};

using message = std::variant<open, packet, end, credit, done, error, alive>;

/// What is taken from outside.
struct limits {
  std::size_t header_bytes = std::size_t{64} << 10U;
  std::size_t payload_bytes = std::size_t{32} << 20U;
  std::size_t extradata_bytes = std::size_t{32} << 10U;
};

/// The parts of a message: the map, and a payload where there is one, which is not copied.
[[nodiscard]] parts encode(const message& m);

/// Reads a message from outside; keys that it does not know are passed over. A packet's `bytes` shares the part's
/// owner. Errors: `corrupt` (says what is wrong), `too_large`.
[[nodiscard]] core::expected<message> decode(std::span<const std::byte> header, std::span<const shared_bytes> payloads,
                                             const limits& within = {});

/// Whether a stream may be called so: letters, digits, `.`, `_` and `-`, not starting with a dot, at most 128.
[[nodiscard]] bool is_stream_name(std::string_view name) noexcept;

} // namespace penstock::transport::push
