#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "transport/message.hpp"

namespace penstock::transport {

/// Bytes somebody owns.
struct shared_bytes {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

/// A bundle of messages on the wire: their headers in one part, one behind the other, then all their large payloads,
/// untouched.
struct parts {
  std::vector<std::byte> header;
  std::vector<shared_bytes> payloads;
};

/// What a peer may send at most.
struct wire_limits {
  std::size_t header_bytes = std::size_t{4} << 20U;
  std::size_t payload_bytes = std::size_t{256} << 20U; ///< of one part
  std::size_t payloads = 4096;                         ///< parts of one message
  std::size_t objects = 100'000;                       ///< of one outcome
};

/// Appends a message. Header: array [version, kind, fields…]; kinds and fields are numbered in docs/protocol.md and
/// pinned by golden bytes. Payloads of more than 8 KiB are not copied: they share the message's owners.
void encode(const message& m, parts& out);

/// Reads bundles of messages from outside, one message after the other. Never trusts them: errors are `corrupt` (not
/// this format; says where), `too_large`, and `unsupported` for another version, naming both. Frames,
/// packets and tensors share `payloads`' owners; what came in the header is copied. Packets need their padding, zeroed:
/// `corrupt` otherwise.
class bundle_reader {
 public:
  /// The bytes are used while the reader lives; `limits` too.
  bundle_reader(std::span<const std::byte> header, std::span<const shared_bytes> payloads, const wire_limits& limits);

  /// The next message; empty at the end. After an error nothing more is read.
  [[nodiscard]] core::expected<std::optional<message>> next();

 private:
  std::span<const std::byte> header_;
  std::span<const shared_bytes> payloads_;
  const wire_limits& limits_;
  std::size_t at_ = 0;
  std::size_t payload_ = 0;
};

/// A bundle of exactly one message.
[[nodiscard]] core::expected<message> decode(std::span<const std::byte> header, std::span<const shared_bytes> payloads,
                                             const wire_limits& limits = {});

} // namespace penstock::transport
