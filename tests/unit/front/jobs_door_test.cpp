#include "front/jobs/jobs_door.hpp"

#include <algorithm>
#include <future>

#include "tests/unit/front/rig.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using front::job_runner;
using front::jobs_door;
using gateway::change;
using jobs::job_state;
using test::made_up_video;
using test::quick_runner;
using test::rig;
using test::soon;
using test::take;

namespace {

/// Waits for the answer of a call.
template <class T, class Call>
core::expected<T> answer_of(Call call) {
  auto promise = std::make_shared<std::promise<core::expected<T>>>();
  auto future = promise->get_future();
  call([promise](core::expected<T> made) { promise->set_value(std::move(made)); });
  if (future.wait_for(10s) != std::future_status::ready) return core::fail(core::errc::timeout, "no answer came");
  return future.get();
}

using opened = std::variant<std::shared_ptr<gateway::job_upload>, gateway::job_view>;

core::expected<opened> open(jobs_door& door, const gateway::job_request& request) {
  return answer_of<opened>([&](auto done) { door.open(request, {}, done); });
}

core::expected<gateway::job_created> commit(gateway::job_upload& to) {
  return answer_of<gateway::job_created>([&](auto done) { to.commit(done); });
}

/// Sends a body in pieces.
core::expected<gateway::job_created> upload(jobs_door& door, const gateway::job_request& request,
                                            const std::string& body) {
  const auto made = open(door, request);
  if (!made) return tl::unexpected{made.error()};
  if (const auto* known = std::get_if<gateway::job_view>(&*made)) return gateway::job_created{*known, true};
  const auto& to = std::get<std::shared_ptr<gateway::job_upload>>(*made);
  for (std::size_t at = 0; at < body.size(); at += 17) {
    const auto written = answer_of<std::monostate>([&](auto done) { to->write(body.substr(at, 17), done); });
    if (!written) return tl::unexpected{written.error()};
  }
  return commit(*to);
}

gateway::job_request request_of(std::string owner = "alice", std::string key = {}) {
  gateway::job_request out;
  out.owner = std::move(owner);
  out.idempotency_key = std::move(key);
  out.name = "match.mp4";
  out.content_type = "video/mp4";
  return out;
}

core::expected<gateway::job_view> view(jobs_door& door, const std::string& id) {
  return answer_of<gateway::job_view>([&](auto done) { door.get(id, {}, done); });
}

core::expected<std::shared_ptr<gateway::byte_source>> results(jobs_door& door, const std::string& id) {
  return answer_of<std::shared_ptr<gateway::byte_source>>([&](auto done) { door.results(id, {}, done); });
}

core::expected<std::string> next(gateway::byte_source& from) {
  return answer_of<std::string>([&](auto done) { from.next(done); });
}

/// Pieces until so many bytes have come, or to the end.
std::string read(gateway::byte_source& from, std::size_t at_least = ~std::size_t{0}) {
  std::string out;
  while (out.size() < at_least) {
    const auto piece = take(next(from));
    if (piece.empty()) break;
    out += piece;
  }
  return out;
}

made_up_video some_video(std::uint64_t frames = 57) {
  made_up_video out;
  out.frames = frames;
  return out;
}

front::jobs_door_options quick_door() {
  front::jobs_door_options out;
  out.results.poll = 20ms;
  out.results.piece_bytes = 700;
  return out;
}

} // namespace

TEST_CASE("what was sent piece by piece becomes a job that has all of it, and says what is known of it", "[front]") {
  rig with;
  jobs_door door{with.queue, with.board, with.registry, quick_door()};
  const auto video = some_video();
  const auto made = take(upload(door, request_of(), video.file()));
  CHECK_FALSE(made.repeated);
  CHECK(made.job.state == gateway::job_state::queued);
  CHECK(made.job.name == "match.mp4");
  CHECK(made.job.content_type == "video/mp4");
  CHECK(made.job.size_bytes == video.file().size());
  CHECK(made.job.uri.empty());
  CHECK(made.job.max_attempts == 3);
  CHECK(take(get_blob(with.queue->blobs(), jobs::input_name(made.job.id), 1 << 20)) == video.file());
  // The door wakes the runner: it need not look for work by itself.
  auto options = quick_runner("the head");
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, options};
  REQUIRE(with.becomes(made.job.id, job_state::done));
  const auto done = take(view(door, made.job.id));
  CHECK(done.state == gateway::job_state::done);
  CHECK(done.finished);
  CHECK(done.frames_done == 57);
  CHECK(done.frames_total == 57);
  CHECK(view(door, "nobody").error().code == core::errc::not_found);
}

TEST_CASE("an upload that is not finished leaves nothing", "[front]") {
  rig with;
  jobs_door door{with.queue, with.board, with.registry, quick_door()};
  {
    const auto made = take(open(door, request_of()));
    const auto& to = std::get<std::shared_ptr<gateway::job_upload>>(made);
    take(answer_of<std::monostate>([&](auto done) { to->write("half of it", done); }));
  }
  CHECK(with.names().empty());
  CHECK(soon([&] { return std::filesystem::is_empty(with.where.path("blobs/.new")); }));
  with.blobs->on_create = [](const std::string&) { return core::error{core::errc::unavailable, "the store is away"}; };
  CHECK(open(door, request_of()).error().code == core::errc::unavailable);
}

TEST_CASE("a key gets the same job, for its owner only, also when two send at once", "[front]") {
  rig with;
  jobs_door door{with.queue, with.board, with.registry, quick_door()};
  const auto file = some_video().file();
  const auto first = take(upload(door, request_of("alice", "k"), file));
  const auto again = take(upload(door, request_of("alice", "k"), file));
  CHECK(again.repeated);
  CHECK(again.job.id == first.job.id);
  CHECK(take(upload(door, request_of("bob", "k"), file)).job.id != first.job.id);
  CHECK(take(upload(door, request_of("alic", "ek"), file)).job.id != first.job.id);
  // Both were let in before one was recorded.
  const auto one = take(open(door, request_of("alice", "race")));
  const auto two = take(open(door, request_of("alice", "race")));
  std::vector<gateway::job_created> both;
  for (const auto* each : {&one, &two}) {
    const auto& to = std::get<std::shared_ptr<gateway::job_upload>>(*each);
    take(answer_of<std::monostate>([&](auto done) { to->write(file, done); }));
    both.push_back(take(commit(*to)));
  }
  CHECK(both[0].job.id == both[1].job.id);
  CHECK_FALSE(both[0].repeated);
  CHECK(both[1].repeated);
  CHECK(with.names().size() == 4); // the input of the second is gone
}

TEST_CASE("a job can be made of a file in the store, and of nothing else", "[front]") {
  rig with;
  jobs_door door{with.queue, with.board, with.registry, quick_door()};
  const auto video = some_video();
  take(put_blob(with.queue->blobs(), "matches/first.mp4", test::bytes_of(video.file())));
  take(put_blob(with.queue->blobs(), "dog.jpg", test::bytes_of("\xff\xd8\xff\xe0 and so on")));
  const auto submit = [&](const std::string& uri, std::string key = {}) {
    auto request = request_of("alice", std::move(key));
    request.uri = uri;
    return answer_of<gateway::job_created>([&](auto done) { door.submit(request, {}, done); });
  };
  const auto made = take(submit("blob:matches/first.mp4", "k"));
  CHECK(made.job.uri == "blob:matches/first.mp4");
  CHECK(made.job.size_bytes == video.file().size());
  CHECK(take(submit("blob:matches/first.mp4", "k")).repeated);
  CHECK(with.job(made.job.id).kind == jobs::job_kind::video);
  const auto picture = take(submit("blob:dog.jpg")).job;
  CHECK(picture.content_type == "image/jpeg");
  CHECK(with.job(picture.id).kind == jobs::job_kind::image);
  CHECK(submit("blob:matches/second.mp4").error().code == core::errc::not_found);
  for (const auto& uri :
       {std::string{"/etc/passwd"}, std::string{"file:///etc/passwd"}, std::string{"http://x/a.mp4"},
        std::string{"blob:../jobs.db"}, std::string{"blob:"}, "blob:" + jobs::input_name(with.put(video))}) {
    CAPTURE(uri);
    CHECK(submit(uri).error().code == core::errc::invalid_argument);
  }
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  REQUIRE(with.becomes(made.job.id, job_state::done));
  CHECK(with.result(made.job.id) == test::results_of(video, made.job.id));
  CHECK(take(with.queue->blobs().stat("matches/first.mp4"))); // it is not the job's to remove
}

TEST_CASE("jobs are listed newest first, page by page, by their state", "[front]") {
  rig with;
  jobs_door door{with.queue, with.board, with.registry, quick_door()};
  std::vector<std::string> ids;
  for (int i = 0; i < 25; ++i) {
    ids.push_back(with.put(some_video()));
    if (i % 5 == 0) take(with.queue->cancel(ids.back()));
  }
  std::ranges::sort(ids, std::greater{});
  const auto all = [&](std::optional<gateway::job_state> state, std::size_t limit) {
    std::vector<std::string> out;
    gateway::job_filter filter{state, limit, {}};
    do {
      const auto page = take(answer_of<gateway::job_page>([&](auto done) { door.list(filter, {}, done); }));
      CHECK(page.jobs.size() <= limit);
      for (const auto& each : page.jobs) out.push_back(each.id);
      filter.after = page.next;
    } while (!filter.after.empty());
    return out;
  };
  for (const std::size_t limit : {1, 7, 25, 100}) CHECK(all(std::nullopt, limit) == ids);
  const auto cancelled = all(gateway::job_state::cancelled, 2);
  CHECK(cancelled.size() == 5);
  CHECK(std::ranges::is_sorted(cancelled, std::greater{}));
  CHECK(all(gateway::job_state::queued, 6).size() == 20);
  CHECK(all(gateway::job_state::failed, 6).empty());
  gateway::job_filter nonsense{{}, 5, "not an id"};
  CHECK(answer_of<gateway::job_page>([&](auto done) { door.list(nonsense, {}, done); }).error().code ==
        core::errc::invalid_argument);
}

TEST_CASE("only what waits or runs is cancelled, and only what is dead is queued again", "[front]") {
  rig with;
  jobs_door door{with.queue, with.board, with.registry, quick_door()};
  const auto cancel = [&](const std::string& id) {
    return take(answer_of<change>([&](auto done) { door.cancel(id, done); }));
  };
  const auto requeue = [&](const std::string& id) {
    return take(answer_of<change>([&](auto done) { door.requeue(id, done); }));
  };
  const auto waits = with.put(some_video());
  CHECK(requeue(waits) == change::not_now);
  CHECK(cancel(waits) == change::done);
  CHECK(requeue(waits) == change::not_now);
  CHECK(cancel("nobody") == change::no_such);
  CHECK(requeue("nobody") == change::no_such);
  CHECK(results(door, waits).error().code == core::errc::not_found);
  auto video = some_video();
  video.fails_at = 0;
  const auto dead = with.put(video);
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  REQUIRE(with.becomes(dead, job_state::dead));
  CHECK(take(view(door, dead)).error == "the moov atom is missing");
  CHECK(results(door, dead).error().code == core::errc::not_found);
  CHECK(cancel(dead) == change::not_now);
  CHECK(requeue(dead) == change::done);
  REQUIRE(soon([&] { return with.pipeline.runs().size() == 2; }));
  auto runs = some_video();
  runs.waits_at = 3;
  const auto running = with.put(runs);
  REQUIRE(with.pipeline.wait_for_waiting(1));
  CHECK(take(view(door, running)).worker == "w");
  CHECK(cancel(running) == change::done);
  CHECK(soon([&] { return runner.running() == 0; }));
}

TEST_CASE("results are read while the job runs, and by slow readers to the end when it has ended", "[front]") {
  rig with;
  jobs_door door{with.queue, with.board, with.registry, quick_door()};
  // Another process: what happens here it sees in the records.
  jobs_door elsewhere{with.other_queue(), std::make_shared<front::job_board>(), with.registry, quick_door()};
  auto video = some_video(90);
  video.waits_at = 60;
  const auto id = with.put(video);
  const auto wanted = test::results_of(video, id);
  const auto early = take(results(door, id)); // nothing is there yet
  std::optional<std::future<std::string>> reading = std::async(std::launch::async, [&] { return read(*early); });
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  REQUIRE(with.pipeline.wait_for_waiting(1));
  const auto slow = take(results(door, id));
  const auto far = take(results(elsewhere, id));
  const auto until = wanted.find("\"seq\":60,");
  REQUIRE(until != std::string::npos);
  const auto so_far = wanted.rfind('\n', until) + 1;
  CHECK(read(*far, so_far) == wanted.substr(0, so_far));
  auto begin = take(next(*slow));
  CHECK(begin == wanted.substr(0, begin.size()));
  CHECK(soon([&] { return take(view(door, id)).frames_done == 60; })); // noted a little after its parts
  const auto running = take(view(door, id));
  CHECK(running.frames_total == 90);
  CHECK(running.frames_done == 60);
  CHECK(running.eta);
  with.pipeline.go_on();
  REQUIRE(with.becomes(id, job_state::done));
  REQUIRE(soon([&] { return with.names() == std::vector{jobs::result_name(id)}; })); // its parts are gone
  CHECK(begin + read(*slow) == wanted);
  CHECK(wanted.substr(0, so_far) + read(*far) == wanted);
  CHECK(reading->get() == wanted);
  CHECK(read(*take(results(door, id))) == wanted);
  CHECK(read(*take(results(elsewhere, id))) == wanted);
}

TEST_CASE("whoever reads the results of a job that comes to nothing is cut off", "[front]") {
  rig with;
  jobs_door door{with.queue, with.board, with.registry, quick_door()};
  auto video = some_video(90);
  video.waits_at = 60;
  video.fails_at = 70;
  const auto id = with.put(video);
  job_runner runner{with.queue, with.pipeline, with.board, with.registry, quick_runner()};
  REQUIRE(with.pipeline.wait_for_waiting(1));
  const auto reader = take(results(door, id));
  const auto forgotten = take(results(door, id));
  with.pipeline.go_on();
  std::string got;
  auto piece = next(*reader);
  for (; piece && !piece->empty(); piece = next(*reader)) got += *piece;
  REQUIRE_FALSE(piece);
  CHECK(piece.error().code == core::errc::cancelled);
  const auto wanted = test::results_of(video, id);
  const auto until = wanted.rfind('\n', wanted.find("\"seq\":70,")) + 1;
  CHECK(got == wanted.substr(0, until));
  // A dead job keeps what it has.
  CHECK(take(next(*take(results(door, id)))) == wanted.substr(0, 700));
}

TEST_CASE("a door that stops lets nobody wait", "[front]") {
  rig with;
  auto door = std::make_unique<jobs_door>(with.queue, with.board, with.registry, quick_door());
  const auto id = with.put(some_video());
  const auto reader = take(results(*door, id));
  const auto made = take(open(*door, request_of()));
  auto reading = std::async(std::launch::async, [&] { return next(*reader); });
  door->stop();
  const auto last = reading.get();
  REQUIRE_FALSE(last);
  CHECK(last.error().code == core::errc::unavailable);
  CHECK(view(*door, id).error().code == core::errc::unavailable);
  CHECK(commit(*std::get<std::shared_ptr<gateway::job_upload>>(made)).error().code == core::errc::unavailable);
  door.reset();
  CHECK(next(*reader).error().code == core::errc::unavailable);
}

TEST_CASE("keys of the topology are rules of the queue and ways of the runner", "[front]") {
  topology::jobs_config config;
  config.concurrent = 7;
  config.max_attempts = 2;
  config.spool = "/spool";
  config.spool_bytes = 5;
  CHECK(front::rules_of(config).max_attempts == 2);
  const auto options = front::runner_options_of(config);
  CHECK(options.concurrent == 7);
  CHECK(options.spool == "/spool");
  CHECK(options.spool_bytes == 5);
}
