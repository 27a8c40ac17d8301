#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <map>

#include "tests/simulation/random.hpp"
#include "tests/unit/front/rig.hpp"

extern char** environ;

using namespace penstock;
using namespace std::chrono_literals;
using jobs::job_state;
using test::made_up_video;
using test::rig;
using test::take;

namespace {

jobs::job_rules rules_under_kills() {
  auto rules = test::quick_rules();
  rules.max_attempts = 100; // kills are not the fault of jobs
  rules.rehint_after = 200ms;
  rules.orphan_after = 2s;
  return rules;
}

/// A runner that is a process: this very program, run again with the test case below alone.
class runner_process {
 public:
  explicit runner_process(const std::filesystem::path& stores) {
    std::vector<std::string> variables{"PENSTOCK_TEST_RUNNER=" + stores.string(),
                                       "PENSTOCK_TEST_PARENT=" + std::to_string(::getpid())};
    for (char** each = environ; *each != nullptr; ++each) variables.emplace_back(*each);
    std::vector<char*> environment;
    for (auto& each : variables) environment.push_back(each.data());
    environment.push_back(nullptr);
    std::array<std::string, 3> words{"test_front", "a runner of the tests", "--out=/dev/null"};
    std::array<char*, 4> arguments{words[0].data(), words[1].data(), words[2].data(), nullptr};
    // It may be told to end before it has come to wait for that.
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    posix_spawnattr_t how;
    REQUIRE(::posix_spawnattr_init(&how) == 0);
    REQUIRE(::posix_spawnattr_setsigmask(&how, &signals) == 0);
    REQUIRE(::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK) == 0);
    REQUIRE(::posix_spawn(&pid_, "/proc/self/exe", nullptr, &how, arguments.data(), environment.data()) == 0);
    ::posix_spawnattr_destroy(&how);
  }
  runner_process(runner_process&& other) noexcept : pid_{std::exchange(other.pid_, -1)} {}
  runner_process& operator=(runner_process&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~runner_process() { kill(); }

  void kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// Exit status of one that is told to end.
  int end() {
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

} // namespace

TEST_CASE("runners that are killed again and again do every job, with the results of an undisturbed run", "[front]") {
  rig with{rules_under_kills()};
  test::random draws{11};
  std::map<std::string, made_up_video> videos;
  for (int i = 0; i < 100; ++i) {
    made_up_video video;
    video.frames = static_cast<std::uint64_t>(draws.between(1, 150));
    video.seed = draws.next() % 1'000'000;
    video.pace_us = draws.between(0, 2'000);
    if (draws.chance(0.2)) video.corrupt = {0, video.frames / 2};
    if (video.frames < 4) video.corrupt.clear();
    videos[with.put(video, "job " + std::to_string(i))] = video;
  }
  std::array<runner_process, 2> runners{runner_process{with.where.path()}, runner_process{with.where.path()}};
  constexpr int kills = 12;
  for (int i = 0; i < kills; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds{draws.between(20'000, 350'000)});
    auto& victim = runners[static_cast<std::size_t>(draws.between(0, 1))];
    victim.kill();
    victim = runner_process{with.where.path()};
  }
  int open = 0;
  CHECK(test::soon(
      [&] {
        open = 0;
        for (const auto& [id, video] : videos) open += with.job(id).state == job_state::done ? 0 : 1;
        if (open > 0) std::this_thread::sleep_for(50ms);
        return open == 0;
      },
      60s));
  CHECK(open == 0);
  for (auto& each : runners) CHECK(each.end() == 0);
  std::vector<std::string> wanted;
  int taken_over = 0;
  for (const auto& [id, video] : videos) {
    const auto record = with.job(id);
    INFO(id << ": " << record.error);
    REQUIRE(record.state == job_state::done);
    CHECK(with.result(id) == test::results_of(video, id));
    CHECK(record.frames == jobs::frame_progress{video.frames, video.frames});
    taken_over += record.epoch > 1 ? 1 : 0;
    wanted.push_back(jobs::result_name(id));
  }
  CHECK(taken_over >= kills / 4); // else the kills hit nobody, and this shows nothing
  // What the dead have left goes when it is old enough.
  CHECK(test::soon([&] {
    const auto report = take(with.queue->reconcile());
    CHECK(report.errors == 0);
    CHECK(report.queued + report.running == 0);
    std::this_thread::sleep_for(50ms);
    return with.names() == wanted && std::filesystem::is_empty(with.where.path("blobs/.new"));
  }));
}

TEST_CASE("a runner of the tests", "[.runner]") {
  const auto* root = std::getenv("PENSTOCK_TEST_RUNNER");
  REQUIRE(root != nullptr);
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  REQUIRE(::getppid() == std::atoi(std::getenv("PENSTOCK_TEST_PARENT"))); // else the parent has died before
  auto stores = take(jobs::open_stores(test::stores_in(root)));
  const auto queue = std::make_shared<jobs::job_queue>(std::move(stores), rules_under_kills());
  metrics::registry registry;
  test::fake_pipeline pipeline;
  auto options = test::quick_runner("process " + std::to_string(::getpid()));
  options.lease = 400ms;
  front::job_runner runner{queue, pipeline, std::make_shared<front::job_board>(), registry, options};
  int caught = 0;
  REQUIRE(::sigwait(&signals, &caught) == 0);
  runner.stop();
  CHECK(pipeline.violations().empty());
}
