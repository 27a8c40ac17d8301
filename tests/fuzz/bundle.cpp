#include <cstdlib>

#include "tests/fuzz/input.hpp"
#include "transport/wire.hpp"

using namespace penstock;

namespace {

/// What is read can be written, and reads as the same again.
void check_same_again(const transport::message& m) {
  transport::parts once;
  encode(m, once);
  const auto again = transport::decode(once.header, once.payloads);
  if (!again || again->index() != m.index()) std::abort();
  transport::parts twice;
  encode(*again, twice);
  if (once.header != twice.header || once.payloads.size() != twice.payloads.size()) std::abort();
}

/// Packets may be read as far as their padding goes, which is zero.
void check_padding(const transport::message& m) {
  const auto* packets = std::get_if<transport::segment_packets>(&m);
  if (packets == nullptr) return;
  for (const auto& p : packets->packets) {
    if (!p.packet) continue;
    const auto* behind = p.packet->bytes.data() + p.packet->bytes.size();
    for (std::size_t i = 0; i < core::packet_padding_bytes; ++i)
      if (behind[i] != std::byte{0}) std::abort();
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = test::read_bundle({reinterpret_cast<const std::byte*>(data), size});
  std::vector<transport::shared_bytes> payloads;
  payloads.reserve(input.parts.size());
  for (const auto& part : input.parts) payloads.push_back({nullptr, part});
  transport::wire_limits limits;
  limits.objects = 100;
  transport::bundle_reader reader{input.header, payloads, limits};
  while (true) {
    const auto next = reader.next();
    if (!next || !*next) return 0;
    check_padding(**next);
    check_same_again(**next);
  }
}
