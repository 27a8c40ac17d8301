#include "jobs/record.hpp"

#include "jobs/ids.hpp"
#include "tests/simulation/random.hpp"
#include "tests/unit/jobs/backends.hpp"

using namespace penstock;
using jobs::milliseconds;
using jobs::wall_time;

namespace {

jobs::job full_record() {
  jobs::job out;
  out.id = "01hf7yat00abcdefghijklmnop";
  out.kind = jobs::job_kind::video;
  out.state = jobs::job_state::running;
  out.input_blob = "01hf7yat00abcdefghijklmnop/input";
  out.attempts = 2;
  out.max_attempts = 5;
  out.epoch = 3;
  out.held = jobs::lease{"worker-1", 3, "0123456789abcdef", wall_time{milliseconds{1'700'000'030'000}}, 7};
  out.not_before = wall_time{milliseconds{1'700'000'000'001}};
  out.frames = {12, 100};
  out.checkpoint = "segment 4";
  out.error = "worker 'a' was lost";
  out.created = wall_time{milliseconds{1'700'000'000'000}};
  out.updated = wall_time{milliseconds{1'700'000'000'002}};
  out.queued = wall_time{milliseconds{1'700'000'000'003}};
  out.hinted = wall_time{milliseconds{1'700'000'000'004}};
  out.idempotency_key = "upload 7";
  return out;
}

} // namespace

TEST_CASE("a record has these bytes, since other versions of the program read them") {
  CHECK(
      encode(full_record()) ==
      R"({"attempts":2,"checkpoint":"segment 4","created":1700000000000,"epoch":3,"error":"worker 'a' was lost",)"
      R"("frames":{"done":12,"total":100},"hinted":1700000000004,"id":"01hf7yat00abcdefghijklmnop",)"
      R"("idempotency_key":"upload 7","input_blob":"01hf7yat00abcdefghijklmnop/input","kind":"video",)"
      R"("lease":{"epoch":3,"expires":1700000030000,"frames_at_start":7,"token":"0123456789abcdef","worker":"worker-1"},)"
      R"("max_attempts":5,"not_before":1700000000001,"queued":1700000000003,"state":"running","updated":1700000000002,)"
      R"("v":1})");
}

TEST_CASE("a record is read as it was written, and members of later versions are passed over") {
  CHECK(test::take(jobs::decode_job(encode(full_record()))) == full_record());
  jobs::job small;
  small.id = "x";
  small.accepted = false;
  small.input_uri = "https://example.com/a.mp4";
  small.name = "match.mp4";
  small.content_type = "video/mp4";
  small.input_bytes = 17;
  CHECK(test::take(jobs::decode_job(encode(small))) == small);
  auto text = encode(small);
  text.insert(1, R"("priority":{"a":[1]},)");
  CHECK(test::take(jobs::decode_job(text)) == small);
  small.error = "broken \xff\xfe text";
  CHECK(test::take(jobs::decode_job(encode(small))).error.starts_with("broken "));
}

TEST_CASE("a text that is no record is refused, and the member that is wrong is named") {
  const auto error_of = [](std::string_view text) { return jobs::decode_job(text).error().message; };
  for (const auto* text : {"", "null", "[]", "{", "\"v\"", "{}x"})
    CHECK(error_of(text) == "a job's record is no JSON object");
  const auto changed = [](std::string_view from, std::string_view to) {
    auto text = encode(full_record());
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  const auto wrong = [&](std::string_view from, std::string_view to, const std::string& member) {
    INFO(from << " -> " << to);
    const auto read = jobs::decode_job(changed(from, to));
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::corrupt);
    CHECK(read.error().message == "a job's record: '" + member + "' is not right");
  };
  wrong("\"v\":1", "\"v\":2", "v");
  wrong("\"kind\":\"video\"", "\"kind\":\"song\"", "kind");
  wrong("\"state\":\"running\"", "\"state\":1", "state");
  wrong("\"state\":\"running\"", "\"state\":\"queued\"", "lease");
  wrong("\"max_attempts\":5", "\"max_attempts\":-1", "max_attempts");
  wrong("\"max_attempts\":5", "\"max_attempts\":4294967296", "max_attempts");
  wrong("\"created\":1700000000000", "\"created\":1e300", "created");
  wrong("\"created\":1700000000000", "\"created\":18446744073709551615", "created");
  wrong("\"token\":\"0123456789abcdef\"", "\"token\":0", "lease.token");
  wrong("\"total\":100", "\"total\":\"100\"", "frames.total");
  wrong("\"id\":\"01hf7yat00abcdefghijklmnop\",", "", "id");
}

TEST_CASE("no bytes make the reader of records do anything but answer") {
  test::random random{17};
  const auto text = encode(full_record());
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto mutated = text;
    for (auto n = random.between(1, 4); n > 0; --n) {
      const auto at = static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(mutated.size()) - 1));
      switch (random.between(0, 2)) {
      case 0: mutated[at] = static_cast<char>(random.between(0, 255)); break;
      case 1: mutated.erase(at, static_cast<std::size_t>(random.between(1, 20))); break;
      default: mutated.insert(at, mutated.substr(static_cast<std::size_t>(random.between(0, 100)), 30)); break;
      }
      if (mutated.empty()) mutated = "{";
    }
    const auto read = jobs::decode_job(mutated);
    if (!read) {
      ++refused;
      CHECK(read.error().code == core::errc::corrupt);
    }
  }
  CHECK(refused > 10'000);
}

TEST_CASE("ids sort by time, are never the same, and nothing else has their form") {
  test::random random{3};
  const auto bits = [&] { return random.next(); };
  std::string last;
  for (std::int64_t ms = 1'700'000'000'000; ms < 1'700'000'001'000; ++ms) {
    const auto id = jobs::make_id(wall_time{milliseconds{ms}}, bits);
    CHECK(jobs::is_job_id(id));
    CHECK(jobs::time_of_id(id) == wall_time{milliseconds{ms}});
    CHECK(id > last);
    last = id;
  }
  const auto real = jobs::system_random();
  CHECK(jobs::make_token(real) != jobs::make_token(real));
  for (const auto* text : {"", "abc", "01hf7yat00abcdefghijklmno/", "01HF7YAT00ABCDEFGHIJKLMNOP",
                           "01hf7yat00abcdefghijklmnopq", "../../../../../etc/passwd0"})
    CHECK_FALSE(jobs::is_job_id(text));
}
