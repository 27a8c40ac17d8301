#include <fstream>
#include <map>
#include <thread>

#include "tests/simulation/random.hpp"
#include "tests/unit/jobs/azurite.hpp"
#include "tests/unit/jobs/backends.hpp"
#include "tests/unit/jobs/http_door.hpp"
#include "tests/unit/jobs/scratch.hpp"
#include "tests/unit/jobs/worker.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using test::bytes_of;
using test::on_all_backends;
using test::take;
using test::worker_process;

namespace {

/// Jobs of different lengths, and what has to come out.
std::map<std::string, std::string> put_jobs(jobs::job_queue& queue, int count, test::random& draws) {
  std::map<std::string, std::string> out;
  for (int i = 0; i < count; ++i) {
    jobs::job_request request;
    request.id = queue.new_id();
    request.kind = draws.chance(0.5) ? jobs::job_kind::video : jobs::job_kind::image;
    request.input_blob = jobs::input_name(request.id);
    const std::string input(static_cast<std::size_t>(draws.between(1, 300)), static_cast<char>('a' + i % 26));
    take(put_blob(queue.blobs(), request.input_blob, bytes_of(input)));
    request.idempotency_key = "job " + std::to_string(i);
    CHECK(take(queue.put(request)).created);
    out[request.id] = test::expected_result(input);
  }
  return out;
}

std::map<std::string, int> granted(const std::filesystem::path& log) {
  std::map<std::string, int> out;
  std::ifstream in{log};
  for (std::string line; std::getline(in, line);) ++out[line];
  return out;
}

/// Every job is done once, with the result that an undisturbed run gives, and nothing else is left.
void check_all_done(jobs::job_queue& queue, const std::map<std::string, std::string>& wanted,
                    const std::filesystem::path& log) {
  // What a killed worker left is removed when it is old enough: by the clock, since files have their times from there.
  const auto end = std::chrono::steady_clock::now() + 30s;
  std::vector<std::string> blobs;
  while (true) {
    const auto report = take(queue.reconcile());
    CHECK(report.errors == 0);
    CHECK(report.queued + report.running == 0);
    blobs.clear();
    for (const auto& blob : take(queue.blobs().list("", "", 10'000)).blobs) blobs.push_back(blob.name);
    if (blobs.size() == wanted.size() || std::chrono::steady_clock::now() > end) break;
    std::this_thread::sleep_for(50ms);
  }
  CHECK(blobs.size() == wanted.size());
  for (const auto& [id, result] : wanted) {
    const auto record = take(queue.get(id)).value();
    CHECK(record.state == jobs::job_state::done);
    CHECK(record.result_blob == jobs::result_name(id));
    CHECK(take(get_blob(queue.blobs(), record.result_blob, 1 << 20)) == result);
  }
  for (const auto& [id, count] : granted(log)) {
    INFO(id);
    CHECK(wanted.contains(id));
    CHECK(count == 1);
  }
}

struct ordeal {
  int jobs = 0;
  int kills = 0;
  test::on_error errors = test::on_error::end;
};

/// Three workers, of which one is killed each time that a few more jobs are done, at a random moment after that.
void work_under_kills(jobs::job_queue& queue, const topology::jobs_config& stores, test::random& draws,
                      const ordeal& what) {
  test::scratch folder;
  const auto log = folder.path("done");
  const auto wanted = put_jobs(queue, what.jobs, draws);
  std::vector<worker_process> workers;
  const auto start = [&](std::size_t i) { return worker_process{stores, log, "w" + std::to_string(i), what.errors}; };
  for (std::size_t i = 0; i < 3; ++i) workers.push_back(start(i));
  const auto end = std::chrono::steady_clock::now() + 200s;
  for (int kills = 0; kills < what.kills; ++kills) {
    const auto enough = static_cast<std::size_t>(kills * (what.jobs - what.kills) / what.kills);
    while (granted(log).size() < enough) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      std::this_thread::sleep_for(5ms);
    }
    std::this_thread::sleep_for(std::chrono::microseconds{draws.between(0, 60'000)});
    const auto victim = static_cast<std::size_t>(draws.between(0, 2));
    workers[victim].kill();
    workers[victim] = start(victim);
  }
  for (auto& worker : workers) CHECK(worker.wait(120s) == 0);
  check_all_done(queue, wanted, log);
  // Kills hit workers that held leases: else this shows nothing.
  int taken_over = 0;
  for (const auto& [id, result] : wanted) taken_over += take(queue.get(id))->epoch > 1 ? 1 : 0;
  CHECK(taken_over >= what.kills / 4);
}

} // namespace

TEST_CASE("workers that are killed again and again do each job once, and leave nothing else") {
  on_all_backends([](const test::backend& on) {
    jobs::job_queue queue{open(on), test::quick_rules()};
    test::random draws{20};
    work_under_kills(queue, on.config(), draws, {100, 20, test::on_error::end});
  });
}

TEST_CASE("two processes on one queue share the work, and when one is killed the other finishes") {
  on_all_backends([](const test::backend& on) {
    test::scratch folder;
    test::random draws{2};
    jobs::job_queue queue{open(on), test::quick_rules()};
    const auto wanted = put_jobs(queue, 40, draws);
    worker_process first{on.config(), folder.path("first"), "first"};
    worker_process second{on.config(), folder.path("second"), "second"};
    const auto end = std::chrono::steady_clock::now() + 120s;
    while (granted(folder.path("first")).size() < 5 || granted(folder.path("second")).size() < 5) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      std::this_thread::sleep_for(1ms);
    }
    first.kill();
    CHECK(second.wait(120s) == 0);
    check_all_done(queue, wanted, folder.path("second"));
    const auto of_first = granted(folder.path("first"));
    const auto of_second = granted(folder.path("second"));
    CHECK(of_first.size() + of_second.size() >= wanted.size() - 1); // one may have died before it could say so
    for (const auto& [id, count] : of_first) CHECK_FALSE(of_second.contains(id));
  });
}

TEST_CASE("two queues in one process share the work without doing a job twice") {
  on_all_backends([](const test::backend& on) {
    test::random draws{3};
    jobs::job_queue queue{open(on), test::quick_rules()};
    const auto wanted = put_jobs(queue, 24, draws);
    std::atomic<int> failures{0};
    std::array<std::map<std::string, int>, 2> done;
    std::vector<std::thread> running;
    for (auto& own : done) {
      running.emplace_back([&, stores = open(on)] {
        jobs::job_queue mine{stores, test::quick_rules()};
        while (true) {
          auto held = mine.lease("thread", 60s);
          if (!held) ++failures;
          if (!held || !*held) return;
          if (!put_blob(mine.blobs(), jobs::result_name((*held)->record.id), bytes_of("r"))) ++failures;
          const auto stands = mine.complete(**held);
          if (!stands || *stands != jobs::standing::held) ++failures;
          ++own[(*held)->record.id];
        }
      });
    }
    for (auto& thread : running) thread.join();
    CHECK(failures == 0);
    CHECK(done[0].size() + done[1].size() == wanted.size());
    for (const auto& [id, count] : done[0]) {
      CHECK(count == 1);
      CHECK_FALSE(done[1].contains(id));
    }
    CHECK_FALSE(take(queue.lease("late", 60s)));
    CHECK(take(queue.list(jobs::job_state::done, "", 100)).jobs.size() == wanted.size());
  });
}

TEST_CASE("on real stores a job goes its whole way: accepted once, failed, dead, queued again, done") {
  on_all_backends([](const test::backend& on) {
    auto rules = test::quick_rules();
    rules.max_attempts = 2;
    jobs::job_queue queue{open(on), rules};
    jobs::job_queue other{open(on), rules};
    jobs::job_request request;
    request.input_uri = "store://a.mp4";
    request.idempotency_key = "ä key / with \n anything";
    const auto id = take(queue.put(request)).record.id;
    CHECK(take(other.put(request)).record.id == id);
    CHECK_FALSE(take(other.put(request)).created);
    const auto wait_for_lease = [](jobs::job_queue& from) {
      const auto end = std::chrono::steady_clock::now() + 60s;
      while (std::chrono::steady_clock::now() < end) {
        if (auto got = take(from.lease("w", 60s))) return *got;
        take(from.reconcile());
      }
      FAIL("no job came");
      return jobs::claim{};
    };
    auto held = wait_for_lease(queue);
    CHECK(held.record.id == id);
    CHECK(take(queue.progress(held, {5, 10}, "half", 60s)) == jobs::standing::held);
    CHECK(take(queue.fail(held, "first")) == jobs::standing::held);
    CHECK(take(queue.complete(held)) == jobs::standing::lost);
    held = wait_for_lease(other);
    CHECK(held.record.checkpoint == "half");
    CHECK(take(other.fail(held, "second")) == jobs::standing::held);
    const auto dead = take(queue.dead_letters("", 10));
    REQUIRE(dead.jobs.size() == 1);
    CHECK(dead.jobs.front().error == "second");
    CHECK(take(queue.requeue(id))->state == jobs::job_state::queued);
    held = wait_for_lease(queue);
    take(put_blob(queue.blobs(), jobs::result_name(id), bytes_of("r")));
    CHECK(take(queue.complete(held)) == jobs::standing::held);
    CHECK(take(other.get(id))->state == jobs::job_state::done);
    CHECK(take(other.dead_letters("", 10)).jobs.empty());
    CHECK(take(other.cancel(id))->state == jobs::job_state::done);
  });
}

TEST_CASE("behind resets, lost answers and 503s of Azure, killed workers do each job once") {
  const auto program = test::find_azurite();
  if (!program) {
    WARN("skipped: no azurite here; run tools/setup.sh test");
    return;
  }
  auto& emulator = test::azurite::shared(*program);
  test::faulty_relay blob{emulator.blob_port(), 5, 0.02};
  test::faulty_relay queue_relay{emulator.queue_port(), 6, 0.02};
  topology::jobs_config config;
  config.queue.kind = topology::queue_kind::azure;
  config.blobs.kind = topology::blobs_kind::azure;
  config.queue.url = config.blobs.url = emulator.fresh_url(blob.port(), queue_relay.port());
  jobs::job_queue queue{take(jobs::open_stores(config)), test::quick_rules()};
  test::random draws{8};
  work_under_kills(queue, config, draws, {40, 8, test::on_error::go_on});
  CHECK(blob.faults() > 20);
  CHECK(queue_relay.faults() > 5);
}
