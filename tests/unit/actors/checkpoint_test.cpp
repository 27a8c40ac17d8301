#include <unistd.h>

#include <string>

#include "actors/checkpoint_writer.hpp"
#include "tests/catch.hpp"
#include "tests/unit/actors/scratch.hpp"

using namespace penstock;
using namespace penstock::actors;

namespace {

checkpoint_document sample() {
  checkpoint_document document{7, "stages", {}};
  document.streams.push_back({"a", "a.mp4", "10 bytes of then", {true, false, 3, 75, 77, 74}});
  document.streams.push_back({"b/\"x\"", "b.mp4 at 5 frames/s", "", {true, true, 0, 0, 0, 9}});
  return document;
}

} // namespace

TEST_CASE("a checkpoint that is written and read again is the same", "[actors]") {
  const auto read = parse_checkpoint(to_text(sample()));
  REQUIRE(read);
  CHECK(*read == sample());
}

TEST_CASE("streams that have not begun are not in a checkpoint", "[actors]") {
  auto document = sample();
  document.streams.front().progress = {};
  const auto read = parse_checkpoint(to_text(document));
  REQUIRE(read);
  REQUIRE(read->streams.size() == 1);
  CHECK(read->streams.front().id == "b/\"x\"");
}

TEST_CASE("no part of a checkpoint passes for a whole one", "[actors]") {
  const auto text = to_text(sample());
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    const auto read = parse_checkpoint(std::string_view{text}.substr(0, size));
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::corrupt);
  }
}

TEST_CASE("a checkpoint of another version and a file of somebody else are refused", "[actors]") {
  const auto other = parse_checkpoint(R"({"penstock_checkpoint":2,"epoch":1})");
  REQUIRE_FALSE(other);
  CHECK(other.error().code == core::errc::unsupported);
  CHECK(other.error().message == "is of version 2, this program knows version 1");
  for (const auto* text :
       {R"({"name":"x"})", "[]", "7", R"({"penstock_checkpoint":1,"epoch":-1,"digest":"","streams":3})",
        R"({"penstock_checkpoint":1,"epoch":1,"digest":"","streams":[{"id":7}]})"}) {
    INFO(text);
    const auto read = parse_checkpoint(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::corrupt);
  }
}

TEST_CASE("only one head at a time has a checkpoint's folder", "[actors]") {
  const scratch dir;
  {
    const auto first = checkpoint_folder::open(dir.path("kept"));
    REQUIRE(first);
    CHECK_FALSE(first->read().value());
    const auto second = checkpoint_folder::open(dir.path("kept"));
    REQUIRE_FALSE(second);
    CHECK(second.error().code == core::errc::io);
    CHECK(second.error().message ==
          dir.path("kept").string() + " is in use by another head (process " + std::to_string(::getpid()) + ")");
  }
  CHECK(checkpoint_folder::open(dir.path("kept")));
}

TEST_CASE("a file in the place of the folder is left alone", "[actors]") {
  const scratch dir;
  dir.write("film.mp4", "film");
  CHECK_FALSE(checkpoint_folder::open(dir.path("film.mp4")));
  CHECK(dir.read("film.mp4") == "film");
}

TEST_CASE("a checkpoint replaces the one before, and a torn one is an error that names the file", "[actors]") {
  const scratch dir;
  const auto folder = checkpoint_folder::open(dir.path());
  REQUIRE(folder);
  REQUIRE(folder->write(checkpoint_document{1, "x", {}}));
  REQUIRE(folder->write(sample()));
  CHECK(folder->read().value().value() == sample());
  const auto text = dir.read("checkpoint.json");
  dir.write("checkpoint.json", text.substr(0, text.size() / 2));
  const auto read = folder->read();
  REQUIRE_FALSE(read);
  CHECK(read.error().code == core::errc::corrupt);
  CHECK(read.error().message.find(dir.path("checkpoint.json").string() + " is not a whole checkpoint") == 0);
}

TEST_CASE("what was put last is what is written, at the latest when the writer ends", "[actors]") {
  const scratch dir;
  auto expected = sample();
  {
    auto folder = checkpoint_folder::open(dir.path());
    REQUIRE(folder);
    checkpoint_writer writer{std::move(*folder), sample()};
    for (std::uint64_t seq = 0; seq < 100; ++seq) {
      expected.streams[0].progress.seq = seq;
      writer.put({expected.streams[0].progress});
    }
    REQUIRE(writer.flush());
    CHECK(parse_checkpoint(dir.read("checkpoint.json")).value() == expected);
    expected.streams[0].progress.finished = true;
    writer.put({expected.streams[0].progress});
  }
  CHECK(parse_checkpoint(dir.read("checkpoint.json")).value() == expected);
}

TEST_CASE("a checkpoint that cannot be written is an error when it is asked for", "[actors]") {
  const scratch dir;
  auto folder = checkpoint_folder::open(dir.path("kept"));
  REQUIRE(folder);
  checkpoint_writer writer{std::move(*folder), sample()};
  std::filesystem::remove_all(dir.path("kept"));
  writer.put({{}});
  const auto written = writer.flush();
  REQUIRE_FALSE(written);
  CHECK(written.error().code == core::errc::io);
  std::filesystem::create_directories(dir.path("kept"));
  writer.put({{}});
  CHECK(writer.flush());
}
