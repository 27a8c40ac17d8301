#include "topology/expand.hpp"

#include "sandbox.hpp"
#include "tests/catch.hpp"

using namespace penstock::topology;
using namespace penstock::topology::test;
namespace core = penstock::core;

namespace {

core::expected<std::vector<stream_source>> expand(const std::string& uri) {
  stages_config stages;
  stages.decode.sample_fps = 7;
  return expand_stream({.id = "s", .uri = uri}, stages);
}

std::vector<std::string> ids(const core::expected<std::vector<stream_source>>& all) {
  std::vector<std::string> result;
  for (const auto& s : all.value()) result.push_back(s.id);
  return result;
}

} // namespace

TEST_CASE("a glob of videos is a stream per file, in order of their names", "[topology]") {
  const sandbox box;
  for (const auto* name : {"b.mp4", "a.mp4", "c d.mp4", ".hidden.mp4", "note.txt"}) box.write(name);
  const auto all = expand(box.path("*.mp4").string());
  REQUIRE(all);
  CHECK(ids(all) == std::vector<std::string>{"s/a", "s/b", "s/c_d"});
  CHECK((*all)[0] == stream_source{.id = "s/a",
                                   .uri = box.path("a.mp4").string(),
                                   .kind = source_kind::video,
                                   .finite = true,
                                   .policy = stream_policy::lossless,
                                   .sample_fps = 7});
  CHECK(ids(expand(box.path().string())) == ids(all));
}

TEST_CASE("files with one stem get different ids", "[topology]") {
  const sandbox box;
  for (const auto* name : {"a.mp4", "a.mkv", "b.mp4", "x y.mp4", "x_y.mp4", "x?y.mp4"}) box.write(name);
  const auto all = expand(box.path("*").string());
  REQUIRE(all);
  CHECK(ids(all) == std::vector<std::string>{"s/a.mkv", "s/a.mp4", "s/b", "s/x_y.mp4", "s/x_y.mp4-2", "s/x_y.mp4-3"});
}

TEST_CASE("pictures are one stream, whether named by file, glob or folder", "[topology]") {
  const sandbox box;
  for (const auto* name : {"1.jpg", "2.PNG", "list.txt"}) box.write(name);
  for (const auto& uri : {box.path("1.jpg"), box.path("*.[jP]*"), box.path()}) {
    CAPTURE(uri);
    const auto all = expand(uri.string());
    REQUIRE(all);
    REQUIRE(all->size() == 1);
    CHECK(all->front().kind == source_kind::pictures);
    CHECK(all->front().id == "s");
    CHECK(all->front().uri == uri.string());
  }
}

TEST_CASE("a folder of videos and pictures, and one without either, are refused", "[topology]") {
  const sandbox box;
  std::filesystem::create_directories(box.path("empty"));
  box.write("both/a.mp4");
  box.write("both/a.jpg");
  CHECK(expand(box.path("both").string()).error().code == core::errc::bad_config);
  CHECK(expand(box.path("empty").string()).error().code == core::errc::not_found);
  CHECK(expand(box.path("*.none").string()).error().code == core::errc::not_found);
  CHECK(expand(box.path("none.mp4").string()).error().code == core::errc::not_found);
}

TEST_CASE("a video without an extension and a file:// address are files", "[topology]") {
  const sandbox box;
  const auto file = box.write("recording");
  const auto all = expand("file://" + file.string());
  REQUIRE(all);
  CHECK(all->front().kind == source_kind::video);
  CHECK(all->front().uri == file.string());
}

TEST_CASE("addresses, devices and synthetic scenes are not looked at", "[topology]") {
  CHECK(expand("rtsp://host/x")->front().kind == source_kind::network);
  CHECK_FALSE(expand("rtsp://host/x")->front().finite);
  CHECK(expand("/dev/video7")->front().kind == source_kind::device);
  CHECK(expand("synthetic://?frames=3&live=1")->front().finite);
  CHECK(expand("synthetic://?frames=3&live=1")->front().policy == stream_policy::live);
  CHECK(expand("https://host/download?id=3")->front().finite);
  CHECK_FALSE(expand("https://host/live.m3u8")->front().finite);
}

TEST_CASE("a live stream over HTTP is a camera, which is tried again when it is lost", "[topology]") {
  const auto all = expand_stream({.id = "s", .uri = "http://camera/video", .policy = stream_policy::live}, {});
  REQUIRE(all);
  CHECK_FALSE(all->front().finite);
}

TEST_CASE("an URI is shown without its password", "[topology]") {
  CHECK(display_uri("rtsp://me:secret@host:554/a") == "rtsp://me:***@host:554/a");
  CHECK(display_uri("rtsp://me:se@cret@host/a") == "rtsp://me:***@host/a");
  CHECK(display_uri("rtsp://me@host:554/a:b@c") == "rtsp://me@host:554/a:b@c");
  CHECK(display_uri("rtsp://host:554/a?x=1:2@3") == "rtsp://host:554/a?x=1:2@3");
  CHECK(display_uri("a:b@c.mp4") == "a:b@c.mp4");
}

TEST_CASE("a sink's path has the stream's id wherever it asks for it", "[topology]") {
  CHECK(sink_path({.kind = "jsonl", .path = "out/{stream}/{stream}.jsonl"}, "a/b") == "out/a/b/a/b.jsonl");
  CHECK(sink_path({.kind = "jsonl", .path = "out.jsonl"}, "a") == "out.jsonl");
}
