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
  const auto corrupt = [](std::string what) { return core::fail(core::errc::corrupt, std::move(what)); };
  if (at_ == 0) {
    if (header_.empty()) return corrupt("an empty header");
    if (header_.size() > limits_.header_bytes)
      return core::fail(core::errc::too_large, fmt::format("a header of {} bytes", header_.size()));
    if (payloads_.size() > limits_.payloads)
      return core::fail(core::errc::too_large, fmt::format("a bundle of {} parts", payloads_.size()));
    for (const auto& part : payloads_)
      if (part.bytes.size() > limits_.payload_bytes)
        return core::fail(core::errc::too_large, fmt::format("a part of {} bytes", part.bytes.size()));
  }
  if (at_ == header_.size()) {
    if (payload_ != payloads_.size()) return corrupt("more parts than its headers say");
    return std::optional<message>{};
  }
  scanner from{header_, at_};
  if (from.array() != std::size_t{3}) return corrupt("a header that is no array of 3");
  const auto version = from.whole_number();
  if (!version || version->negative) return corrupt("a header without a version");
  if (version->bits != protocol_version) {
    return core::fail(core::errc::unsupported,
                      fmt::format("protocol version {} where this program speaks {}", version->bits, protocol_version));
  }
  const auto kind = from.whole_number();
  if (!kind || kind->negative) return corrupt("a header without a kind");
  reader body{from, payloads_.subspan(payload_), limits_};
  std::optional<message> read{std::in_place};
  if (!read_kind(kind->bits, body, *read)) return corrupt(fmt::format("no message has the kind {}", kind->bits));
  if (body.error()) return core::fail(names[kind->bits], *body.error());
  at_ = from.at();
  payload_ += body.payloads_read();
  return read;
}

core::expected<message> decode(std::span<const std::byte> header, std::span<const shared_bytes> payloads,
                               const wire_limits& limits) {
  bundle_reader from{header, payloads, limits};
  auto first = from.next();
  if (!first) return tl::unexpected{std::move(first).error()};
  auto rest = from.next();
  if (!rest) return tl::unexpected{std::move(rest).error()};
  if (*rest) return core::fail(core::errc::corrupt, "more than one message");
  return std::move(**first);
}

} // namespace penstock::transport
