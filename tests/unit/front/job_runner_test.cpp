#include "front/jobs/job_runner.hpp"

#include <algorithm>

#include "front/jobs/job_note.hpp"
#include "tests/simulation/random.hpp"
#include "tests/unit/front/rig.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using front::job_runner;
using jobs::job_state;
using test::fake_pipeline;
using test::made_up_video;
using test::quick_runner;
using test::rig;
using test::soon;
using test::take;

namespace {

double value_of(const metrics::registry& registry, const std::string& series) {
  const auto text = registry.expose();
  const auto at = text.find("\n" + series + " ");
  return at == std::string::npos ? 0 : std::stod(text.substr(at + series.size() + 2));
}

made_up_video short_video(std::uint64_t frames = 57) {
  made_up_video out;
  out.frames = frames;
  return out;
}

} // namespace

TEST_CASE("a job becomes its results, and nothing else is left", "[front]") {
  rig with;
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner("the head")};
  const auto video = short_video();
  const auto id = with.put(video);
  REQUIRE(with.becomes(id, job_state::done));
  CHECK(with.result(id) == test::results_of(video, id));
  const auto record = with.job(id);
  CHECK(record.frames == jobs::frame_progress{57, 57});
  CHECK(record.attempts == 1);
  CHECK(record.error.empty());
  CHECK(soon([&] { return with.names() == std::vector{jobs::result_name(id)}; }));
  runner.stop();
  CHECK(value_of(with.registry, "penstock_jobs_attempts_total{end=\"done\"}") == 1);
  CHECK(value_of(with.registry, "penstock_jobs_duration_seconds_count") == 1);
  CHECK(value_of(with.registry, "penstock_jobs_running") == 0);
  CHECK(with.pipeline.violations().empty());
}

TEST_CASE("no more jobs run at once than are allowed", "[front]") {
  rig with;
  auto video = short_video();
  video.waits_at = 5;
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(with.put(video));
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  REQUIRE(with.pipeline.wait_for_waiting(2));
  CHECK(value_of(with.registry, "penstock_jobs_running") == 2);
  CHECK(runner.running() == 2);
  CHECK(soon([&] { return value_of(with.registry, "penstock_jobs_queued") == 3; }));
  CHECK(soon([&] { return with.pipeline.expected == 3; })); // the pipeline knows what is to come
  CHECK(with.pipeline.runs().size() == 2);
  CHECK(soon([&] {
    with.pipeline.go_on();
    return std::ranges::all_of(ids, [&](const auto& id) { return with.job(id).state == job_state::done; });
  }));
}

TEST_CASE("a stopped runner gives its jobs back, and the next one goes on where they were", "[front]") {
  rig with;
  auto video = short_video(100);
  video.waits_at = 73;
  const auto id = with.put(video);
  {
    job_runner first{with.queue, with.pipeline, with.board, with.registry, quick_runner("first")};
    REQUIRE(with.pipeline.wait_for_waiting(1));
    first.stop();
    CHECK(value_of(with.registry, "penstock_jobs_attempts_total{end=\"given_back\"}") == 1);
  }
  const auto between = with.job(id);
  CHECK(between.state == job_state::queued);
  CHECK(between.attempts == 0);
  CHECK(between.frames == jobs::frame_progress{70, 100});
  const auto note = take(front::parse_job_note(between.checkpoint));
  CHECK(note.next_seq == 73);
  CHECK(note.progress.emitted_before == 70);
  job_runner second{with.queue, with.pipeline, with.board, with.registry, quick_runner("second")};
  REQUIRE(with.pipeline.wait_for_waiting(1));
  with.pipeline.go_on();
  REQUIRE(with.becomes(id, job_state::done));
  CHECK(with.result(id) == test::results_of(video, id));
  CHECK(with.job(id).frames == jobs::frame_progress{100, 100});
  const auto runs = with.pipeline.runs();
  REQUIRE(runs.size() == 2);
  CHECK_FALSE(runs[0].from);
  REQUIRE(runs[1].from);
  CHECK(runs[1].from->seq == 70);
  CHECK(runs[1].next_seq == 73);
  CHECK(with.pipeline.violations().empty());
}

TEST_CASE("a run that does not end is left after the grace, and its job is given back all the same", "[front]") {
  rig with;
  auto video = short_video();
  video.waits_at = 20;
  video.deaf = true;
  const auto id = with.put(video);
  auto options = quick_runner();
  options.stop_grace = 50ms;
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, options};
  REQUIRE(with.pipeline.wait_for_waiting(1));
  const auto begin = std::chrono::steady_clock::now();
  runner.stop();
  CHECK(std::chrono::steady_clock::now() - begin < 3s);
  CHECK(with.job(id).state == job_state::queued);
  CHECK(with.job(id).attempts == 0);
}

TEST_CASE("a draining runner finishes what it has and takes no more", "[front]") {
  rig with;
  auto video = short_video();
  video.waits_at = 5;
  const auto id = with.put(video);
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  REQUIRE(with.pipeline.wait_for_waiting(1));
  runner.drain();
  const auto late = with.put(short_video());
  with.pipeline.go_on();
  REQUIRE(with.becomes(id, job_state::done));
  CHECK(soon([&] { return runner.running() == 0; }));
  CHECK(soon([&] { return with.job(late).state == job_state::queued; })); // one that was just being taken is given back
  CHECK(with.pipeline.runs().size() == 1);
}

TEST_CASE("a job that is cancelled stops at once, and nothing of it is published", "[front]") {
  rig with;
  auto video = short_video();
  video.waits_at = 30;
  const auto id = with.put(video);
  // Renewed every ten seconds: it is the news that stops it.
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  REQUIRE(with.pipeline.wait_for_waiting(1));
  REQUIRE(take(with.queue->cancel(id))->state == job_state::cancelled);
  with.board->tell(id, front::job_news::cancelled);
  CHECK(soon([&] { return runner.running() == 0; }));
  CHECK(with.pipeline.cancelled().size() == 1);
  CHECK(with.job(id).state == job_state::cancelled);
  CHECK(soon([&] { return with.names().empty(); }));
  CHECK(value_of(with.registry, "penstock_jobs_attempts_total{end=\"cancelled\"}") == 1);
}

TEST_CASE("a job that is cancelled by another process stops when its lease is renewed", "[front]") {
  rig with;
  auto video = short_video();
  video.waits_at = 30;
  const auto id = with.put(video);
  auto options = quick_runner();
  options.lease = 300ms;
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, options};
  REQUIRE(with.pipeline.wait_for_waiting(1));
  std::this_thread::sleep_for(700ms); // longer than a lease: it was renewed
  CHECK(with.job(id).epoch == 1);
  REQUIRE(take(with.other_queue()->cancel(id))->state == job_state::cancelled);
  CHECK(soon([&] { return runner.running() == 0; }));
}

TEST_CASE("an input that can never work is dead after one attempt, with its reason", "[front]") {
  rig with;
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  const auto garbage = with.put("\x00\x01 not a video");
  auto broken = short_video();
  broken.fails_at = 33;
  const auto cut = with.put(broken);
  jobs::job_request elsewhere;
  elsewhere.input_uri = "https://example.com/a.mp4";
  const auto foreign = take(with.queue->put(elsewhere)).record.id;
  for (const auto& id : {garbage, cut, foreign}) {
    REQUIRE(with.becomes(id, job_state::dead));
    CHECK(with.job(id).attempts == 1);
  }
  CHECK(with.job(garbage).error == "this is no video");
  CHECK(with.job(cut).error == "the moov atom is missing");
  CHECK(with.job(cut).frames.done == 30);
  CHECK(with.job(foreign).error == "https://example.com/a.mp4: this is in no store of this pipeline");
  runner.stop();
  CHECK(value_of(with.registry, "penstock_jobs_dead_total{reason=\"corrupt\"}") == 2);
  CHECK(value_of(with.registry, "penstock_jobs_dead_total{reason=\"unsupported\"}") == 1);
}

TEST_CASE("what may pass is tried again, from where it failed, until the attempts are used up", "[front]") {
  rig with;
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  auto video = short_video();
  video.fails_at = 41;
  video.failure = {core::errc::io, "the disk does not answer"};
  const auto id = with.put(video);
  REQUIRE(with.becomes(id, job_state::dead));
  CHECK(with.job(id).attempts == 3);
  CHECK(with.job(id).error == "the disk does not answer");
  const auto runs = with.pipeline.runs();
  REQUIRE(runs.size() == 3);
  CHECK(runs[1].from->seq == 40);
  CHECK(runs[2].from->seq == 40);
  runner.stop();
  CHECK(value_of(with.registry, "penstock_jobs_dead_total{reason=\"attempts\"}") == 1);
  CHECK(with.pipeline.violations().empty());
}

TEST_CASE("frames that nothing can decode are counted where people see them, and the others have results", "[front]") {
  rig with;
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  auto video = short_video();
  video.corrupt = {0, 12, 56};
  const auto id = with.put(video);
  auto hopeless = short_video(3);
  hopeless.corrupt = {0, 1, 2};
  const auto none = with.put(hopeless);
  REQUIRE(with.becomes(id, job_state::done));
  CHECK(with.result(id) == test::results_of(video, id));
  const auto note = take(front::parse_job_note(with.job(id).checkpoint));
  CHECK(note.dropped[static_cast<std::size_t>(core::drop_reason::corrupt)] == 3);
  REQUIRE(with.becomes(none, job_state::dead));
  CHECK(with.job(none).error == "none of its frames has a result: corrupt 3");
  CHECK(with.job(none).attempts == 1);
}

TEST_CASE("results that the store does not take are made again, without a gap", "[front]") {
  rig with;
  std::atomic<int> refused{0};
  with.blobs->on_create = [&](const std::string& name) -> std::optional<core::error> {
    if (!name.ends_with("1-2") || refused++ > 0) return std::nullopt;
    return core::error{core::errc::io, "the store is full"};
  };
  auto options = quick_runner();
  options.concurrent = 1;
  auto video = short_video(200);
  video.pace_us = 100;
  const auto id = with.put(video);
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, options};
  REQUIRE(with.becomes(id, job_state::done));
  CHECK(refused >= 1);
  CHECK(with.job(id).attempts == 2);
  CHECK(with.result(id) == test::results_of(video, id));
  CHECK(with.pipeline.violations().empty());
}

TEST_CASE("inputs that are no files here come by way of the spool, which is never fuller than it may be", "[front]") {
  rig with;
  with.blobs->is_remote = true;
  auto options = quick_runner();
  options.concurrent = 3;
  options.spool = with.where.path("spool");
  auto video = short_video();
  video.waits_at = 5;
  options.spool_bytes = video.file().size() + 3;
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(with.put(video));
  const auto large = with.put(std::string(1000, ' ') + video.file());
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, options};
  REQUIRE(with.pipeline.wait_for_waiting(1));
  REQUIRE(soon([&] { return runner.running() == 3; }));
  CHECK(with.pipeline.runs().size() == 1); // the others wait for room
  CHECK(std::filesystem::is_empty(options.spool));
  for (const auto& id : ids) {
    CHECK(soon([&] {
      with.pipeline.go_on();
      return with.job(id).state == job_state::done;
    }));
    CHECK(with.result(id) == test::results_of(video, id));
  }
  REQUIRE(with.becomes(large, job_state::dead));
  CHECK(with.job(large).error.find("more than the spool holds") != std::string::npos);
}

TEST_CASE("a worker whose lease went to another publishes nothing wrong, however late it comes", "[front]") {
  rig with;
  // Its clock is a minute slow, so for all others its leases have run out when they begin.
  const auto slow = [] { return jobs::system_clock()() - 60s; };
  auto stores = take(jobs::open_stores(test::stores_in(with.where.path()), slow));
  const auto blobs = std::make_shared<test::watched_blobs>(stores.blobs);
  std::atomic<bool> at_the_end{false};
  std::atomic<bool> may_publish{false};
  blobs->on_create = [&](const std::string& name) -> std::optional<core::error> {
    if (!name.ends_with("/result")) return std::nullopt;
    at_the_end = true;
    while (!may_publish) std::this_thread::sleep_for(1ms);
    return std::nullopt;
  };
  stores.blobs = blobs;
  const auto late_queue = std::make_shared<jobs::job_queue>(stores, with.rules, slow);
  fake_pipeline late_pipeline;
  metrics::registry late_metrics;
  auto options = quick_runner("late");
  options.reconcile_every = 0ms;
  const auto video = short_video(100);
  // Put by its clock, or else it would not see them yet.
  const auto put = [&](const made_up_video& what) {
    jobs::job_request request;
    request.id = late_queue->new_id();
    request.input_blob = jobs::input_name(request.id);
    take(put_blob(late_queue->blobs(), request.input_blob, test::bytes_of(what.file())));
    return take(late_queue->put(request)).record.id;
  };
  const auto id = put(video);

  SECTION("while it works") {
    auto waits = video;
    waits.waits_at = 55;
    const auto other = put(waits);
    job_runner late{late_queue, late_pipeline, std::make_shared<front::job_board>(), late_metrics, options};
    REQUIRE(late_pipeline.wait_for_waiting(1));
    may_publish = true;
    job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
    CHECK(soon([&] {
      with.pipeline.go_on();
      return with.job(other).state == job_state::done;
    }));
    late_pipeline.go_on();
    CHECK(soon([&] { return late.running() == 0; }));
    CHECK(with.result(other) == test::results_of(waits, other));
    CHECK(value_of(late_metrics, "penstock_jobs_attempts_total{end=\"lost\"}") >= 1);
  }
  SECTION("when it has all parts and is about to publish the result") {
    job_runner late{late_queue, late_pipeline, std::make_shared<front::job_board>(), late_metrics, options};
    REQUIRE(soon([&] { return at_the_end.load(); }));
    job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
    REQUIRE(with.becomes(id, job_state::done));
    CHECK(with.pipeline.runs().empty()); // all was in parts already
    may_publish = true;
    CHECK(soon([&] { return late.running() == 0; }));
    CHECK(value_of(late_metrics, "penstock_jobs_attempts_total{end=\"lost\"}") == 1);
  }
  may_publish = true;
  REQUIRE(with.becomes(id, job_state::done));
  CHECK(with.result(id) == test::results_of(video, id));
  CHECK(with.pipeline.violations().empty());
  CHECK(late_pipeline.violations().empty());
}

TEST_CASE("notes are read as they were written, and what is none is said to be none", "[front]") {
  front::job_note note;
  CHECK(take(front::parse_job_note("")) == note);
  note.progress = {true, false, 3, 31, 40, 29};
  note.next_seq = 33;
  note.parts = {{1, 2}, {4, 1}};
  note.dropped[static_cast<std::size_t>(core::drop_reason::poison)] = 7;
  note.frames_per_s = 12.5;
  CHECK(take(front::parse_job_note(to_text(note))) == note);
  CHECK(parts_in(note) == 3);
  CHECK(part_at(note, "x", 1) == "x/parts/1-1");
  CHECK(part_at(note, "x", 2) == "x/parts/4-0");
  for (const auto* text : {"{}", "[]", "1", "{", R"({"v":2})", R"({"v":1,"parts":[[1]]})"})
    CHECK(front::parse_job_note(text).error().code == core::errc::corrupt);
}
