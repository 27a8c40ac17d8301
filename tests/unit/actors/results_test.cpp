#include <nlohmann/json.hpp>

#include "actors/ack_book.hpp"
#include "actors/result_json.hpp"
#include "actors/run_report.hpp"
#include "tests/catch.hpp"

using namespace penstock;

TEST_CASE("a frame is settled when every sink has acknowledged it, and failed if one could not write it", "[actors]") {
  actors::ack_book book{2};
  for (int i = 0; i < 3; ++i) book.emitted(core::time_point{std::chrono::seconds{i}});
  auto settled = book.acknowledged(0, {true, true, true});
  CHECK(settled.delivered + settled.failed == 0);
  settled = book.acknowledged(1, {true});
  CHECK(settled.delivered == 1);
  CHECK(settled.captured == std::vector{core::time_point{std::chrono::seconds{0}}});
  settled = book.acknowledged(1, {false, true});
  CHECK(settled.delivered == 1);
  CHECK(settled.failed == 1);
  CHECK(settled.captured == std::vector{core::time_point{std::chrono::seconds{2}}});
}

TEST_CASE("after giving up everything open is failed, and a sink that wakes up late changes nothing", "[actors]") {
  actors::ack_book book{1};
  for (int i = 0; i < 3; ++i) book.emitted({});
  CHECK(book.acknowledged(0, {true}).delivered == 1);
  CHECK(book.give_up().failed == 2);
  const auto late = book.acknowledged(0, {true, true});
  CHECK(late.delivered + late.failed == 0);
}

TEST_CASE("without sinks frames are delivered as they are", "[actors]") {
  actors::ack_book book{0};
  book.emitted({});
  book.emitted({});
  CHECK(book.settle_all().delivered == 2);
  CHECK(book.settle_all().delivered == 0);
}

TEST_CASE("a result is one line of JSON with the documented fields", "[actors]") {
  core::frame_result result;
  result.seq = 7;
  result.pts = std::chrono::microseconds{280'500};
  result.width_px = 640;
  result.height_px = 360;
  result.name = "a \"b\".jpg";
  result.objects = {{1, 0.87654F, {10.125F, 20, 30.5F, 40}, 12}, {5, 0.5F, {0, 0, 1, 1}, core::no_track}};
  const std::vector<std::string> labels{"person", "b\"us"};
  std::string line;
  actors::append_json(line, "do\nor", labels, result);
  REQUIRE(line.back() == '\n');
  CHECK(line.find('\n') == line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  CHECK(json["stream"] == "do\nor");
  CHECK(json["seq"] == 7);
  CHECK(json["pts_ms"] == 280.5);
  CHECK(json["file"] == "a \"b\".jpg");
  CHECK(json["objects"][0]["label"] == "b\"us");
  CHECK(json["objects"][0]["class"] == 1);
  CHECK(json["objects"][0]["score"] == 0.8765);
  CHECK(json["objects"][0]["box"][2] == 30.5);
  CHECK(json["objects"][0]["track"] == 12);
  CHECK(json["objects"][1]["label"] == "5");
  CHECK(json["objects"][1]["track"].is_null());
}

TEST_CASE("names that are not UTF-8 still give valid JSON", "[actors]") {
  core::frame_result result;
  std::string line;
  actors::append_json(line, "caf\xe9", {}, result);
  CHECK_NOTHROW(nlohmann::json::parse(line));
}

TEST_CASE("a run lost something if a lossless stream dropped what nobody chose to drop", "[actors]") {
  const auto with = [](bool lossless, core::drop_reason reason, bool shutting_down = false) {
    actors::stream_report stream;
    stream.lossless = lossless;
    stream.ledger.received = 1;
    stream.ledger.drop(reason);
    actors::run_report report;
    report.streams = {stream};
    report.shutting_down = shutting_down;
    return report.lost_something();
  };
  CHECK_FALSE(with(true, core::drop_reason::sampled));
  CHECK_FALSE(with(true, core::drop_reason::cancelled));
  CHECK(with(true, core::drop_reason::corrupt));
  CHECK(with(true, core::drop_reason::sink_error));
  CHECK_FALSE(with(false, core::drop_reason::shed));
  CHECK(with(true, core::drop_reason::shutdown));
  CHECK_FALSE(with(true, core::drop_reason::shutdown, true));
  actors::run_report failed;
  failed.failure = "a stage ended";
  CHECK(failed.lost_something());
}

TEST_CASE("a job whose attempt ended is not lost: its queue keeps account of it", "[actors]") {
  actors::stream_report attempt;
  attempt.lossless = true;
  attempt.ledger.received = 1;
  attempt.ledger.drop(core::drop_reason::shutdown);
  attempt.error = core::error{core::errc::unavailable, "the store is away"};
  actors::run_report report;
  report.streams = {attempt};
  CHECK(report.lost_something());
  report.streams.front().job = true;
  CHECK_FALSE(report.lost_something());
}
