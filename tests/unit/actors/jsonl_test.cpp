#include <memory>
#include <string>
#include <vector>

#include "actors/result_json.hpp"
#include "actors/result_sink.hpp"
#include "tests/catch.hpp"
#include "tests/unit/actors/scratch.hpp"

using namespace penstock;
using namespace penstock::actors;

namespace {

core::expected<std::unique_ptr<result_sink>> open(const scratch& dir, std::optional<std::uint64_t> resume_seq) {
  sink_context context;
  context.stream = "caf\xe9 \"1\"";
  context.path = dir.path("out.jsonl");
  context.labels = std::make_shared<const std::vector<std::string>>();
  context.resume_seq = resume_seq;
  return find_sink_kind("jsonl")->open(context);
}

core::frame_result frame(std::uint64_t seq, std::size_t objects = 1) {
  core::frame_result result;
  result.seq = seq;
  result.objects.resize(objects);
  return result;
}

std::string line(std::uint64_t seq, std::size_t objects = 1) {
  std::string text;
  append_json(text, "caf\xe9 \"1\"", {}, frame(seq, objects));
  return text;
}

void append(result_sink& sink, std::uint64_t seq, std::size_t objects = 1) {
  REQUIRE(sink.write(frame(seq, objects), nullptr));
  REQUIRE(sink.flush());
}

} // namespace

TEST_CASE("a file of results goes on behind its last whole line, wherever it was torn", "[actors]") {
  const auto whole = line(3) + line(4);
  const auto torn = line(5);
  for (std::size_t size = 0; size < torn.size(); ++size) {
    const scratch dir;
    dir.write("out.jsonl", whole + torn.substr(0, size));
    auto sink = open(dir, 4);
    REQUIRE(sink);
    CHECK((*sink)->next_seq() == 5);
    append(**sink, 5);
    REQUIRE((*sink)->close());
    REQUIRE(dir.read("out.jsonl") == whole + torn);
  }
}

TEST_CASE("a torn file without a whole line begins anew", "[actors]") {
  for (const auto& text : {std::string{}, line(0).substr(0, 20), std::string(200'000, '\0')}) {
    const scratch dir;
    dir.write("out.jsonl", text);
    auto sink = open(dir, 0);
    REQUIRE(sink);
    CHECK((*sink)->next_seq() == 0);
    append(**sink, 0);
    CHECK(dir.read("out.jsonl") == line(0));
  }
}

TEST_CASE("a file that is not there is begun", "[actors]") {
  const scratch dir;
  auto sink = open(dir, 9);
  REQUIRE(sink);
  CHECK((*sink)->next_seq() == 0);
  append(**sink, 0);
  CHECK(dir.read("out.jsonl") == line(0));
}

TEST_CASE("lines and torn ends longer than what is read at once are found", "[actors]") {
  const auto whole = line(0, 3000) + line(1, 3000);
  REQUIRE(whole.size() > 400'000);
  const scratch dir;
  dir.write("out.jsonl", whole + std::string(150'000, 'x'));
  auto sink = open(dir, 1);
  REQUIRE(sink);
  CHECK((*sink)->next_seq() == 2);
  append(**sink, 2);
  CHECK(dir.read("out.jsonl") == whole + line(2));
}

TEST_CASE("a file that ends with something else than a result of the stream is left alone", "[actors]") {
  std::string other;
  append_json(other, "other", {}, frame(7));
  for (const auto& end : {std::string{"notes\n"}, std::string{"{\"seq\":-1}\n"}, other, std::string{"\n"}}) {
    const scratch dir;
    dir.write("out.jsonl", line(0) + end);
    const auto sink = open(dir, 0);
    REQUIRE_FALSE(sink);
    CHECK(sink.error().code == core::errc::corrupt);
    CHECK(dir.read("out.jsonl") == line(0) + end);
  }
}

TEST_CASE("without an earlier life of the head the file begins anew", "[actors]") {
  const scratch dir;
  dir.write("out.jsonl", line(0) + line(1));
  auto sink = open(dir, std::nullopt);
  REQUIRE(sink);
  CHECK((*sink)->next_seq() == 0);
  append(**sink, 0);
  CHECK(dir.read("out.jsonl") == line(0));
}
