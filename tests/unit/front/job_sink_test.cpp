#include "front/jobs/job_sink.hpp"

#include <algorithm>

#include "front/jobs/job_note.hpp"
#include "tests/unit/front/rig.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using test::rig;
using test::take;

namespace {

core::frame_result result(std::uint64_t seq) {
  core::frame_result out;
  out.seq = seq;
  return out;
}

front::part_settings settings_of(const std::string& id, std::uint64_t next_seq = 0) {
  front::part_settings out;
  out.id = id;
  out.epoch = 4;
  out.labels = std::make_shared<const std::vector<std::string>>();
  out.next_seq = next_seq;
  out.part_bytes = 200;
  out.age = 50ms;
  return out;
}

std::size_t lines_in(rig& with, const std::string& name) {
  const auto text = take(get_blob(with.queue->blobs(), name, 1 << 20));
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

} // namespace

TEST_CASE("lines become a part when they are many or old, and what is durable is never said too early", "[front]") {
  rig with;
  int published = 0;
  front::part_writer parts{with.queue, settings_of("a"), [&] { ++published; }};
  const auto begin = core::clock::now();
  for (std::uint64_t seq : {2, 5}) REQUIRE(parts.write(result(seq)));
  REQUIRE(parts.flush(begin));
  CHECK(parts.seen().durable_seq == 0);
  CHECK(with.names().empty());
  REQUIRE(parts.flush(core::clock::now() + 50ms)); // old enough
  CHECK(parts.seen().durable_seq == 6);
  CHECK(lines_in(with, "a/parts/4-0") == 2);
  for (std::uint64_t seq : {5, 6, 7, 8}) REQUIRE(parts.write(result(seq))); // 5 is there
  REQUIRE(parts.flush(begin));                                              // enough bytes
  CHECK(lines_in(with, "a/parts/4-1") == 3);
  REQUIRE(parts.write(result(9)));
  REQUIRE(parts.close());
  CHECK(lines_in(with, "a/parts/4-2") == 1);
  CHECK(parts.seen().durable_seq == 10);
  CHECK(parts.seen().parts == 3);
  CHECK(published == 3);
}

TEST_CASE("what an earlier attempt has is not written again, and after an error nothing is", "[front]") {
  rig with;
  const auto parts = std::make_shared<front::part_writer>(with.queue, settings_of("a", 3));
  front::job_sink sink{parts};
  CHECK(sink.next_seq() == 3);
  for (std::uint64_t seq : {1, 2, 3}) REQUIRE(sink.write(result(seq), nullptr));
  with.blobs->on_create = [](const std::string&) { return core::error{core::errc::io, "no room"}; };
  CHECK(sink.close().error().message == "no room");
  with.blobs->on_create = nullptr;
  CHECK(sink.write(result(4), nullptr).error().message == "no room");
  CHECK(sink.flush().error().message == "no room");
  CHECK(parts->seen().durable_seq == 3);
  CHECK(with.names().empty());
}

TEST_CASE("what was abandoned publishes no more", "[front]") {
  rig with;
  front::part_writer parts{with.queue, settings_of("a")};
  REQUIRE(parts.write(result(0)));
  parts.abandon();
  REQUIRE(parts.write(result(1)));
  REQUIRE(parts.close());
  CHECK(with.names().empty());
  CHECK(parts.seen().durable_seq == 0);
}
