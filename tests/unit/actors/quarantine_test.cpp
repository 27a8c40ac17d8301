#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "actors/quarantine.hpp"
#include "media/packet_file.hpp"
#include "media/source.hpp"
#include "tests/catch.hpp"
#include "tests/unit/actors/scratch.hpp"

using namespace penstock;
using namespace penstock::actors;

namespace {

struct video {
  core::codec_ptr codec;
  std::vector<core::packet_ptr> packets;
};

video read_all(const std::string& uri) {
  media::source_options options;
  options.uri = uri;
  auto source = media::open_source(options);
  REQUIRE(source);
  video v;
  while (auto packet = (*source)->read()) v.packets.push_back(*packet);
  v.codec = (*source)->codec();
  return v;
}

quarantined_segment segment_of(const video& v, std::uint64_t number = 3) {
  quarantined_segment segment;
  segment.stream = "cams/../door 1";
  segment.source = "door.mp4";
  segment.id = {{0}, 17, number};
  segment.reason = "failed 3 times";
  segment.errors = {"worker 1: gone", "worker 2: gone"};
  segment.codec = v.codec;
  segment.packets = v.packets;
  return segment;
}

core::packet_ptr packet_of(std::string text, std::string name = {}) {
  auto owner = std::make_shared<std::string>(text + std::string(core::packet_padding_bytes, '\0'));
  auto packet = std::make_shared<core::packet>();
  packet->bytes = std::as_bytes(std::span{*owner}).first(text.size());
  packet->owner = owner;
  packet->access = core::random_access::closed;
  packet->name = std::move(name);
  return packet;
}

core::codec_ptr codec_of(std::string name) {
  core::codec_description codec;
  codec.codec = std::move(name);
  return std::make_shared<const core::codec_description>(std::move(codec));
}

bool same_payload(const core::packet_ptr& a, const core::packet_ptr& b) {
  return std::ranges::equal(a->bytes, b->bytes) && a->access == b->access && a->disposable == b->disposable;
}

} // namespace

TEST_CASE("a segment that was given up can be played, with all that its stream's packets had", "[actors]") {
  const scratch dir;
  const auto v = read_all("synthetic://?frames=25&gop=25&bframes=2&width=64&height=64");
  REQUIRE(v.packets.size() == 25);
  {
    quarantine_writer writer{{dir.path("q")}};
    writer.put(segment_of(v));
  }
  const auto folder = std::string{"q/cams_.._door_1-17-3"};
  const auto again = read_all(dir.path(folder + "/segment.nut").string());
  CHECK(again.codec->codec == v.codec->codec);
  CHECK(again.codec->extradata == v.codec->extradata);
  REQUIRE(again.packets.size() == v.packets.size());
  CHECK(std::ranges::equal(again.packets, v.packets, same_payload));
  for (std::size_t i = 0; i < v.packets.size(); ++i)
    CHECK(again.packets[i]->pts - again.packets[0]->pts == v.packets[i]->pts - v.packets[0]->pts);

  const auto why = nlohmann::json::parse(dir.read(folder + "/reason.json"));
  CHECK(why["stream"] == "cams/../door 1");
  CHECK(why["epoch"] == 17);
  CHECK(why["segment"] == 3);
  CHECK(why["reason"] == "failed 3 times");
  CHECK(why["errors"].size() == 2);
  CHECK(why["codec"]["name"] == "h264");
  CHECK(why["files"] == nlohmann::json{"segment.nut"});
  CHECK(why["packets"].size() == 25);
  CHECK(why["packets"][0]["keyframe"] == true);
}

TEST_CASE("pictures become the files that they were", "[actors]") {
  const scratch dir;
  video v{codec_of("mjpeg"), {packet_of("one", "a.jpg"), packet_of("two", "../b.jpg")}};
  {
    quarantine_writer writer{{dir.path("q")}};
    writer.put(segment_of(v));
  }
  CHECK(dir.read("q/cams_.._door_1-17-3/0000-a.jpg") == "one");
  CHECK(dir.read("q/cams_.._door_1-17-3/0001-b.jpg") == "two");
}

TEST_CASE("what no container takes is kept as it is", "[actors]") {
  const scratch dir;
  const video v{codec_of("no such codec"), {packet_of("one"), packet_of("two")}};
  {
    quarantine_writer writer{{dir.path("q")}};
    writer.put(segment_of(v));
  }
  CHECK(dir.read("q/cams_.._door_1-17-3/packets.bin") == "onetwo");
  const auto why = nlohmann::json::parse(dir.read("q/cams_.._door_1-17-3/reason.json"));
  CHECK(why["files"] == nlohmann::json{"packets.bin"});
  CHECK(why["packets"][1]["bytes"] == 3);
}

TEST_CASE("a quarantine that is full takes no more, and counts it, also after another start", "[actors]") {
  const scratch dir;
  const video v{codec_of("no such codec"), {packet_of("one")}};
  metrics::registry registry;
  const auto refused = registry.dispatch().quarantine_refused;
  {
    quarantine_writer writer{{dir.path("q"), 2, 1 << 20, refused}};
    writer.put(segment_of(v, 1));
  }
  {
    quarantine_writer writer{{dir.path("q"), 2, 1 << 20, refused}};
    writer.put(segment_of(v, 2));
    writer.put(segment_of(v, 3));
  }
  CHECK(std::filesystem::exists(dir.path("q/cams_.._door_1-17-2")));
  CHECK_FALSE(std::filesystem::exists(dir.path("q/cams_.._door_1-17-3")));
  CHECK(refused.value() == 1);
  {
    quarantine_writer writer{{dir.path("small"), 2, 2, refused}};
    writer.put(segment_of(v, 1));
  }
  CHECK_FALSE(std::filesystem::exists(dir.path("small/cams_.._door_1-17-1")));
  CHECK(refused.value() == 2);
}

TEST_CASE("a segment that was quarantined twice is kept twice", "[actors]") {
  const scratch dir;
  const video v{codec_of("no such codec"), {packet_of("one")}};
  {
    quarantine_writer writer{{dir.path("q")}};
    writer.put(segment_of(v));
    writer.put(segment_of(v));
  }
  CHECK(std::filesystem::exists(dir.path("q/cams_.._door_1-17-3")));
  CHECK(std::filesystem::exists(dir.path("q/cams_.._door_1-17-3-2")));
}

TEST_CASE("a folder that cannot be written costs only the packets", "[actors]") {
  const scratch dir;
  const video v{codec_of("no such codec"), {packet_of("one")}};
  metrics::registry registry;
  const auto refused = registry.dispatch().quarantine_refused;
  const auto file = dir.write("q", "a file");
  {
    quarantine_writer writer{{file, 10, 1 << 20, refused}};
    writer.put(segment_of(v));
  }
  CHECK(refused.value() == 1);
  CHECK(dir.read("q") == "a file");
}
