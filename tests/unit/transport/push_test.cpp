#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/catch.hpp"
#include "transport/push.hpp"

namespace penstock::transport::push {

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
T again(const T& m) {
  const auto sent = encode(m);
  auto read = push::decode(sent.header, sent.payloads);
  REQUIRE(read);
  return std::get<T>(*read);
}

core::errc refusal(std::string_view map, std::size_t payloads = 0) {
  const std::vector<shared_bytes> parts(payloads, shared_bytes{nullptr, bytes_of("payload")});
  const auto read = push::decode(bytes_of(map), parts);
  REQUIRE(!read);
  return read.error().code;
}

} // namespace

TEST_CASE("a message of a producer is the same msgpack map every time", "[push]") {
  CHECK(text_of(encode(end{"door"}).header) == "\x82\xa4type\xa3"
                                               "end\xa6stream\xa4"
                                               "door");
  CHECK(text_of(encode(credit{"a", 32, 7, policy::lossless}).header) ==
        "\x85\xa4type\xa6"
        "credit\xa6stream\xa1"
        "a\xa7packets\x20\xa8received\x07\xa6policy\xa8lossless");
}

TEST_CASE("every message comes out as it went in", "[push]") {
  open begun{"cam.1", {}, policy::live, true};
  begun.codec.codec = "h264";
  begun.codec.width_px = 1920;
  begun.codec.height_px = 1080;
  begun.codec.frames_per_s = 29.97;
  begun.codec.extradata = {std::byte{1}, std::byte{100}};
  begun.codec.reorder_frames = 2;
  begun.codec.tag = 0x31637661;
  const auto opened = again(begun);
  CHECK(opened.stream == "cam.1");
  CHECK(opened.codec == begun.codec);
  CHECK(opened.policy == policy::live);
  CHECK(opened.again);

  packet sent;
  sent.stream = "a";
  sent.pts_us = -40'000;
  sent.dts_us = 1'790'000'000'000'000; // an epoch of today
  sent.duration_us = 40'000;
  sent.key = sent.damaged = true;
  sent.shown = false;
  sent.name = "shot.jpg";
  sent.bytes = {nullptr, bytes_of("jpeg")};
  const auto got = again(sent);
  CHECK(got.pts_us == sent.pts_us);
  CHECK(got.dts_us == sent.dts_us);
  CHECK(got.duration_us == 40'000);
  CHECK((got.key && got.damaged && !got.shown));
  CHECK(got.name == "shot.jpg");
  CHECK(got.bytes.bytes.data() == sent.bytes.bytes.data());

  CHECK(again(done{"a", 10, 8, {{"shed", 2}}}).dropped.at("shed") == 2);
  CHECK(again(error{"a", "no"}).message == "no");
}

TEST_CASE("keys that nobody knows are passed over, and numbers of any width are read", "[push]") {
  const auto read = push::decode(bytes_of("\x83\xa4type\xa3"
                                          "end\xa6stream\xa1"
                                          "a\xa6"
                                          "future\x93\x01\x02\x03"),
                                 {});
  REQUIRE(read);
  CHECK(std::get<end>(*read).stream == "a");
}

TEST_CASE("what is no message of a producer is refused", "[push]") {
  using namespace std::string_view_literals;
  CHECK(refusal("") == core::errc::corrupt);
  CHECK(refusal("\xc1") == core::errc::corrupt);                 // never used by msgpack
  CHECK(refusal("\x93\x01\x02\x03") == core::errc::corrupt);     // no map
  CHECK(refusal("\xdf\xff\xff\xff\xff") == core::errc::corrupt); // a map of 4 G entries
  CHECK(refusal("\x81\xa4type\xa4"
                "what") == core::errc::corrupt); // not known
  CHECK(refusal("\x80") == core::errc::corrupt); // no type
  CHECK(refusal("\x81\xa4type\xa3"
                "end\x00"sv) == core::errc::corrupt);                               // something behind it
  CHECK(refusal("\x82\xa4type\xa6packet\xa6pts_us\x01") == core::errc::corrupt);    // no payload
  CHECK(refusal("\x82\xa4type\xa6packet\xa6pts_us\x01", 2) == core::errc::corrupt); // two
  CHECK(refusal("\x82\xa4type\xa6packet\xa6pts_us\xa1"
                "1",
                1) == core::errc::corrupt);                           // a number as text
  CHECK(refusal("\x81\xa4type\xa6packet", 1) == core::errc::corrupt); // no time
  CHECK(refusal("\x82\xa4type\xa4open\xa5"
                "codec\xa4h264") == core::errc::corrupt); // no stream
  CHECK(refusal("\x83\xa4type\xa4open\xa6stream\xa4../x\xa5"
                "codec\xa4h264") == core::errc::corrupt);
  CHECK(refusal("\x83\xa4type\xa4open\xa6stream\xa1x\xa5"
                "codec\xda\xff\xff" +
                std::string(65535, 'c')) == core::errc::too_large);
}

TEST_CASE("any cut or changed byte of a message is refused or read, never more", "[push]") {
  open begun{"cam", {}, policy::live, false};
  begun.codec.codec = "h264";
  begun.codec.extradata = std::vector<std::byte>(40);
  const auto whole = text_of(encode(begun).header);
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK(!push::decode(bytes_of(whole).first(size), {}));
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int value = 0; value < 256; ++value) {
      auto changed = whole;
      changed[at] = static_cast<char>(value);
      static_cast<void>(push::decode(bytes_of(changed), {}));
    }
}

TEST_CASE("names of streams are safe in paths", "[push]") {
  for (const auto* good : {"a", "door-1", "yard_2.left"}) CHECK(is_stream_name(good));
  for (const auto* bad : {"", ".", "..", ".hidden", "a/b", "a b", "ä"}) CHECK(!is_stream_name(bad));
  CHECK(!is_stream_name(std::string(129, 'a')));
}

} // namespace penstock::transport::push
