#include "transport/wire.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "transport/wire/fields.hpp"

namespace penstock::transport {

namespace {

constexpr std::array<std::string_view, std::variant_size_v<message>> names{
    "hello",          "welcome",         "refused",       "directory",      "heartbeat",  "drain",    "bye",
    "open_segment",   "segment_packets", "close_segment", "revoke_segment", "credit",     "outcomes", "segment_done",
    "segment_failed", "stage_credit",    "frame_item",    "jpeg_item",      "tensor_item"};

/// Which message a kind is: its place in the variant, which therefore only ever grows at its end.
template <std::size_t Kind = 0>
bool read_kind(std::size_t kind, reader& from, message& to) {
  if constexpr (Kind == std::variant_size_v<message>) {
    return false;
  } else {
    if (kind != Kind) return read_kind<Kind + 1>(kind, from, to);
    from.get(to.emplace<Kind>());
    return true;
  }
}

/// Reads one message; `payloads_read` counts what it took of the payloads.
core::expected<message> decode_object(const msgpack::object& root, std::span<const shared_bytes> payloads,
                                      const wire_limits& limits, std::size_t& payloads_read) {
  const auto corrupt = [](std::string what) { return core::fail(core::errc::corrupt, std::move(what)); };
  if (root.type != msgpack::type::ARRAY || root.via.array.size != 3) return corrupt("a header that is no array of 3");
  const auto* items = root.via.array.ptr;
  if (items[0].type != msgpack::type::POSITIVE_INTEGER || items[1].type != msgpack::type::POSITIVE_INTEGER)
    return corrupt("a header without version and kind");
  const auto version = items[0].via.u64;
  const auto kind = static_cast<std::size_t>(items[1].via.u64);
  if (version != protocol_version) {
    return core::fail(core::errc::unsupported,
                      fmt::format("protocol version {} where this program speaks {}", version, protocol_version));
  }
  reader from{items[2], payloads, limits};
  message read;
  if (!read_kind(kind, from, read)) return corrupt(fmt::format("no message has the kind {}", kind));
  if (from.error()) return core::fail(names[kind], *from.error());
  payloads_read += from.payloads_read();
  return read;
}

} // namespace

std::string_view name_of(const message& m) noexcept { return names[m.index()]; }

void encode(const message& m, parts& out) {
  writer to{out};
  to.begin_array(3);
  to.put(protocol_version);
  to.put(static_cast<std::uint64_t>(m.index()));
  std::visit([&to](const auto& body) { to.put(body); }, m);
}

bundle_reader::bundle_reader(std::span<const std::byte> header, std::span<const shared_bytes> payloads,
                             const wire_limits& limits)
    : header_{header}, payloads_{payloads}, limits_{limits} {}

core::expected<std::optional<message>> bundle_reader::next() {
  if (at_ == 0) {
    if (header_.size() > limits_.header_bytes)
      return core::fail(core::errc::too_large, fmt::format("a header of {} bytes", header_.size()));
    if (payloads_.size() > limits_.payloads)
      return core::fail(core::errc::too_large, fmt::format("a bundle of {} parts", payloads_.size()));
    for (const auto& part : payloads_)
      if (part.bytes.size() > limits_.payload_bytes)
        return core::fail(core::errc::too_large, fmt::format("a part of {} bytes", part.bytes.size()));
  }
  if (at_ == header_.size()) {
    if (payload_ != payloads_.size()) return core::fail(core::errc::corrupt, "more parts than its headers say");
    return std::optional<message>{};
  }
  try {
    constexpr std::size_t most_depth = 16;
    const auto most = header_.size(); // every item takes a byte at least
    const msgpack::unpack_limit bounds{most, most, most, most, 0, most_depth};
    const auto in_place = [](msgpack::type::object_type, std::size_t, void*) { return true; };
    const auto root =
        msgpack::unpack(reinterpret_cast<const char*>(header_.data()), header_.size(), at_, in_place, nullptr, bounds);
    auto read = decode_object(root.get(), payloads_.subspan(payload_), limits_, payload_);
    if (!read) return tl::unexpected{std::move(read).error()};
    return std::optional<message>{std::move(*read)};
  } catch (const msgpack::unpack_error& e) {
    return core::fail(core::errc::corrupt, fmt::format("a header that is not msgpack: {}", e.what()));
  }
}

core::expected<message> decode(std::span<const std::byte> header, std::span<const shared_bytes> payloads,
                               const wire_limits& limits) {
  bundle_reader from{header, payloads, limits};
  auto first = from.next();
  if (!first) return tl::unexpected{std::move(first).error()};
  if (!*first) return core::fail(core::errc::corrupt, "an empty header");
  auto rest = from.next();
  if (!rest) return tl::unexpected{std::move(rest).error()};
  if (*rest) return core::fail(core::errc::corrupt, "more than one message");
  return std::move(**first);
}

} // namespace penstock::transport
