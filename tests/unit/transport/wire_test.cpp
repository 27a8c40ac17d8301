#include <algorithm>
#include <fmt/format.h>
#include <random>
#include <string>

#include "tests/catch.hpp"
#include "tests/unit/transport/messages.hpp"
#include "transport/wire.hpp"

using namespace penstock;
using transport::bundle_reader;
using transport::decode;
using transport::encode;
using transport::parts;

namespace {

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const auto b : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(b));
  return text;
}

parts encoded(const transport::message& m) {
  parts out;
  encode(m, out);
  return out;
}

/// The bytes of all payloads, one behind the other.
std::string text_of(const parts& p) {
  std::string all;
  for (const auto& part : p.payloads) all.append(reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size());
  return all;
}

const std::string large(10'000, 'x');

/// One of each, other forms, and those with large payloads.
std::vector<test::named_message> all_messages() {
  auto all = test::one_of_each();
  for (auto& m : test::other_forms()) all.push_back(std::move(m));
  for (auto& m : test::large_ones()) all.push_back(std::move(m));
  return all;
}

} // namespace

TEST_CASE("every message has the bytes that the protocol says") {
  for (const auto& [message, header, payloads] : all_messages()) {
    const auto out = encoded(message);
    INFO(transport::name_of(message));
    CHECK(hex(out.header) == header);
    std::vector<std::size_t> sizes;
    for (const auto& part : out.payloads) sizes.push_back(part.bytes.size());
    CHECK(sizes == payloads);
  }
  CHECK(test::one_of_each().size() == std::variant_size_v<transport::message>);
}

TEST_CASE("a message that was read is the one that was written") {
  for (const auto& [message, header, payloads] : all_messages()) {
    INFO(transport::name_of(message));
    const auto out = encoded(message);
    const auto read = decode(out.header, out.payloads);
    if (!read) FAIL(read.error().message);
    REQUIRE(read->index() == message.index());
    // What it says and carries is the same once it is written again.
    const auto again = encoded(*read);
    CHECK(again.header == out.header);
    CHECK(text_of(again) == text_of(out));
  }
}

TEST_CASE("large payloads are shared, not copied, in both directions") {
  const auto packet = test::packet_of(large);
  const auto out = encoded(transport::segment_packets{{}, {{0, true, packet}}});
  REQUIRE(out.payloads.size() == 1);
  CHECK(out.payloads[0].bytes.data() == packet->bytes.data());
  const auto read = decode(out.header, out.payloads);
  REQUIRE(read);
  const auto& arrived = std::get<transport::segment_packets>(*read).packets.at(0);
  CHECK(arrived.packet->bytes.data() == packet->bytes.data());
  CHECK(arrived.packet->bytes.size() == packet->bytes.size());
  CHECK(arrived.packet->owner == packet->owner);
}

TEST_CASE("small payloads travel in the header, without the padding that they have at both ends") {
  const auto packet = test::packet_of("some bytes");
  const auto out = encoded(transport::segment_packets{{}, {{0, true, packet}}});
  CHECK(out.payloads.empty());
  const auto read = decode(out.header, out.payloads);
  REQUIRE(read);
  const auto& arrived = *std::get<transport::segment_packets>(*read).packets.at(0).packet;
  CHECK(std::ranges::equal(arrived.bytes, packet->bytes));
  const std::span behind{arrived.bytes.data() + arrived.bytes.size(), core::packet_padding_bytes};
  CHECK(std::ranges::all_of(behind, [](std::byte b) { return b == std::byte{0}; }));
}

TEST_CASE("a header has room for a few small payloads only, so that it never is too large itself") {
  transport::segment_packets many;
  for (std::uint32_t i = 0; i < 1000; ++i) many.packets.push_back({i, true, test::packet_of(std::string(8000, 'x'))});
  const auto out = encoded(many);
  CHECK(out.header.size() < 2U << 20U);
  CHECK(out.payloads.size() > 800);
  const auto read = decode(out.header, out.payloads);
  REQUIRE(read);
  CHECK(std::get<transport::segment_packets>(*read).packets.size() == 1000);
}

TEST_CASE("a bundle gives its messages in their order, each with its own payloads") {
  parts bundle;
  const auto all = all_messages();
  for (const auto& m : all) encode(m.message, bundle);
  const transport::wire_limits limits;
  bundle_reader reader{bundle.header, bundle.payloads, limits};
  for (const auto& m : all) {
    auto next = reader.next();
    if (!next) FAIL(next.error().message);
    REQUIRE(*next);
    CHECK((*next)->index() == m.message.index());
  }
  const auto end = reader.next();
  REQUIRE(end);
  CHECK_FALSE(*end);
}

TEST_CASE("another version is refused with both versions named") {
  auto out = encoded(transport::heartbeat{});
  out.header[1] = std::byte{9};
  const auto read = decode(out.header, out.payloads);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == core::errc::unsupported);
  CHECK(read.error().message == "protocol version 9 where this program speaks 2");
}

TEST_CASE("messages that are cut off, too long or made of something else are refused") {
  for (const auto& [message, header, payloads] : all_messages()) {
    INFO(transport::name_of(message));
    const auto out = encoded(message);
    for (std::size_t n = 0; n < out.header.size(); ++n)
      CHECK_FALSE(decode(std::span{out.header}.first(n), out.payloads));
    auto longer = out.header;
    longer.push_back(std::byte{0});
    CHECK_FALSE(decode(longer, out.payloads));
    if (!out.payloads.empty()) {
      CHECK_FALSE(decode(out.header, std::span{out.payloads}.first(out.payloads.size() - 1)));
      auto cut = out.payloads;
      cut[0].bytes = cut[0].bytes.first(cut[0].bytes.size() - 1);
      CHECK_FALSE(decode(out.header, cut));
    }
    auto more = out.payloads;
    more.push_back({});
    CHECK_FALSE(decode(out.header, more));
  }
}

TEST_CASE("a packet whose padding is not zero is refused") {
  auto out = encoded(transport::segment_packets{{}, {{0, true, test::packet_of(large)}}});
  std::vector<std::byte> bytes{out.payloads[0].bytes.begin(), out.payloads[0].bytes.end()};
  bytes.back() = std::byte{1};
  out.payloads[0].bytes = bytes;
  const auto read = decode(out.header, out.payloads);
  REQUIRE_FALSE(read);
  CHECK(read.error().message == "segment_packets: a part without its padding");
}

TEST_CASE("a worker's figures are of its stages, and of times that have passed") {
  transport::heartbeat beat{core::worker_figures{}};
  beat.figures->stages.resize(core::all_stages.size());
  CHECK(decode(encoded(beat).header, {}));
  beat.figures->stages.front().busy = std::chrono::microseconds{-1};
  CHECK(decode(encoded(beat).header, {}).error().code == core::errc::corrupt);
  beat.figures->stages.front().busy = {};
  beat.figures->stages.resize(core::all_stages.size() + 1);
  CHECK(decode(encoded(beat).header, {}).error().code == core::errc::too_large);
}

TEST_CASE("limits hold for headers, parts and their number") {
  const auto out = encoded(transport::segment_packets{{}, {{0, true, test::packet_of(large)}}});
  transport::wire_limits limits;
  limits.header_bytes = out.header.size() - 1;
  CHECK(decode(out.header, out.payloads, limits).error().code == core::errc::too_large);
  limits = {};
  limits.payload_bytes = 10'000;
  CHECK(decode(out.header, out.payloads, limits).error().code == core::errc::too_large);
  limits = {};
  limits.payloads = 0;
  CHECK(decode(out.header, out.payloads, limits).error().code == core::errc::too_large);
}

TEST_CASE("bytes changed at random never do harm") {
  std::mt19937_64 random{20'261'120};
  const auto all = all_messages();
  std::size_t accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    auto out = encoded(all[random() % all.size()].message);
    const auto changes = 1 + random() % 4;
    for (std::uint64_t c = 0; c < changes; ++c)
      out.header[random() % out.header.size()] = static_cast<std::byte>(random());
    if (const auto read = decode(out.header, out.payloads)) {
      ++accepted;
      CHECK(read->index() < std::variant_size_v<transport::message>);
    }
  }
  CHECK(accepted > 0); // some changes only change a number
}
