#include "tests/unit/jobs/worker.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/sha256.hpp"
#include "tests/unit/jobs/backends.hpp"

extern char** environ;

namespace penstock::test {
namespace {

using namespace std::chrono_literals;
using jobs::standing;

constexpr std::size_t part_bytes = 40;

std::string part_of(std::string_view input) { return core::to_hex(core::sha256(bytes_of(input))) + "\n"; }

topology::jobs_config config_from_environment() {
  const auto text = nlohmann::json::parse(std::getenv("PENSTOCK_TEST_WORKER"));
  topology::jobs_config out;
  out.queue.kind = static_cast<topology::queue_kind>(text["queue"].get<int>());
  out.queue.path = text["queue_path"].get<std::string>();
  out.queue.url = text["queue_url"].get<std::string>();
  out.blobs.kind = static_cast<topology::blobs_kind>(text["blobs"].get<int>());
  out.blobs.path = text["blobs_path"].get<std::string>();
  out.blobs.url = text["blobs_url"].get<std::string>();
  return out;
}

struct worker_settings {
  std::string name;
  int log = -1; ///< file of granted `complete`s
  jobs::milliseconds lease{};
};

/// Everything of a job, part by part; goes on where another ended. Stops where the job is somebody else's.
core::expected<void> work_on(jobs::job_queue& queue, jobs::claim& held, const worker_settings& mine) {
  const auto input = get_blob(queue.blobs(), held.record.input_blob, 1 << 20);
  if (!input) {
    if (input.error().code == core::errc::not_found) return {}; // a faster worker has ended the job
    return tl::unexpected{input.error()};
  }
  const auto parts = (input->size() + part_bytes - 1) / part_bytes;
  for (auto i = static_cast<std::size_t>(held.record.frames.done); i < parts; ++i) {
    const auto part = part_of(std::string_view{*input}.substr(i * part_bytes, part_bytes));
    const auto name = jobs::part_name(held.record.id, std::to_string(i));
    if (auto put = put_blob(queue.blobs(), name, bytes_of(part)); !put) return tl::unexpected{put.error()};
    const auto noted = queue.progress(held, {i + 1, parts}, "part " + std::to_string(i + 1), mine.lease);
    if (!noted) return tl::unexpected{noted.error()};
    if (*noted != standing::held) return {};
  }
  auto writer = queue.blobs().create(jobs::result_name(held.record.id));
  if (!writer) return tl::unexpected{writer.error()};
  for (std::size_t i = 0; i < parts; ++i) {
    const auto part = get_blob(queue.blobs(), jobs::part_name(held.record.id, std::to_string(i)), 1 << 20);
    if (!part) {
      if (part.error().code == core::errc::not_found) return {};
      return tl::unexpected{part.error()};
    }
    if (auto put = (*writer)->write(bytes_of(*part)); !put) return put;
  }
  if (auto put = (*writer)->publish(); !put) return tl::unexpected{put.error()};
  const auto stands = queue.complete(held);
  if (!stands) return tl::unexpected{stands.error()};
  if (*stands != standing::held) return {};
  const auto line = held.record.id + "\n";
  REQUIRE(::write(mine.log, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  return {};
}

/// One job, or a look at the others. True: nothing is left to do.
core::expected<bool> turn(jobs::job_queue& queue, const worker_settings& mine) {
  auto got = queue.lease(mine.name, mine.lease);
  if (!got) return tl::unexpected{got.error()};
  if (*got) {
    return work_on(queue, **got, mine).map([] { return false; });
  }
  const auto report = queue.reconcile();
  if (!report) return tl::unexpected{report.error()};
  if (report->queued + report->running == 0) return true;
  std::this_thread::sleep_for(20ms); // as a worker does that has nothing to do
  return false;
}

} // namespace

std::string expected_result(const std::string& input) {
  std::string out;
  for (std::size_t at = 0; at < input.size(); at += part_bytes)
    out += part_of(std::string_view{input}.substr(at, part_bytes));
  return out;
}

jobs::job_rules quick_rules() {
  jobs::job_rules rules;
  rules.max_attempts = 100; // kills are not the fault of jobs
  rules.first_backoff = 10ms;
  rules.rehint_after = 300ms;
  rules.index_grace = 2s;
  rules.orphan_after = 20s; // longer than a put may take
  return rules;
}

worker_process::worker_process(const topology::jobs_config& stores, const std::filesystem::path& log,
                               const std::string& name, on_error errors, jobs::milliseconds lease) {
  const nlohmann::json text{{"queue", static_cast<int>(stores.queue.kind)},
                            {"queue_path", stores.queue.path.string()},
                            {"queue_url", stores.queue.url},
                            {"blobs", static_cast<int>(stores.blobs.kind)},
                            {"blobs_path", stores.blobs.path.string()},
                            {"blobs_url", stores.blobs.url},
                            {"log", log.string()},
                            {"name", name},
                            {"go_on", errors == on_error::go_on},
                            {"lease_ms", lease.count()},
                            {"parent", ::getpid()}};
  std::vector<std::string> variables{"PENSTOCK_TEST_WORKER=" + text.dump()};
  for (char** each = environ; *each != nullptr; ++each) variables.emplace_back(*each);
  std::vector<char*> environment;
  for (auto& each : variables) environment.push_back(each.data());
  environment.push_back(nullptr);
  std::array<std::string, 3> words{"test_jobs", "a worker of the tests", "--out=/dev/null"};
  std::array<char*, 4> arguments{words[0].data(), words[1].data(), words[2].data(), nullptr};
  REQUIRE(::posix_spawn(&pid_, "/proc/self/exe", nullptr, nullptr, arguments.data(), environment.data()) == 0);
}

worker_process::worker_process(worker_process&& other) noexcept
    : pid_{std::exchange(other.pid_, -1)}, status_{other.status_} {}

worker_process& worker_process::operator=(worker_process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(status_, other.status_);
  return *this;
}

worker_process::~worker_process() { kill(); }

void worker_process::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
  pid_ = -1;
}

bool worker_process::is_running() {
  if (pid_ < 0) return false;
  if (::waitpid(pid_, &status_, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

int worker_process::wait(std::chrono::seconds at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (is_running()) {
    if (std::chrono::steady_clock::now() > end) return -1;
    std::this_thread::sleep_for(5ms);
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

} // namespace penstock::test

TEST_CASE("a worker of the tests", "[.worker]") {
  using namespace penstock;
  using namespace std::chrono_literals;
  REQUIRE(std::getenv("PENSTOCK_TEST_WORKER") != nullptr);
  const auto text = nlohmann::json::parse(std::getenv("PENSTOCK_TEST_WORKER"));
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  REQUIRE(::getppid() == text["parent"].get<pid_t>()); // else the parent has died before
  const auto log = ::open(text["log"].get<std::string>().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  REQUIRE(log >= 0);
  auto stores = jobs::open_stores(test::config_from_environment());
  if (!stores) FAIL(stores.error().message);
  jobs::job_queue queue{std::move(*stores), test::quick_rules()};
  const test::worker_settings mine{text["name"].get<std::string>(), log,
                                   jobs::milliseconds{text["lease_ms"].get<std::int64_t>()}};
  while (true) {
    const auto ended = test::turn(queue, mine);
    if (ended && *ended) break;
    if (ended) continue;
    if (!text["go_on"].get<bool>()) FAIL(ended.error().message);
    if (std::getenv("PENSTOCK_TEST_VERBOSE") != nullptr) {
      std::fprintf(stderr, "%s: %s\n", mine.name.c_str(), ended.error().message.c_str());
    }
  }
}
