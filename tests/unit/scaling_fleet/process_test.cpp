#include "scaling/fleet/process.hpp"

#include <signal.h>

#include <fstream>
#include <iterator>

#include "scaling/fleet/exec.hpp"
#include "scaling/fleet/worker_process.hpp"
#include "tests/unit/jobs/scratch.hpp"
#include "tests/unit/jobs/server.hpp"
#include "tests/unit/scaling_fleet/rig.hpp"

using namespace penstock;
using namespace std::chrono_literals;
using scaling::instance_state;
using test::holds;
using test::take;
using test::wait_until;

namespace {

std::string contents(const std::filesystem::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// A worker that says hello and, on SIGTERM, good-bye; one that is stubborn does not go.
scaling::process_options options_in(const test::scratch& folder, bool stubborn = false) {
  scaling::process_options out;
  const std::string leave = stubborn ? "trap 'echo no' TERM" : "trap 'echo bye; exit 0' TERM";
  out.command = {"sh", "-c", leave + "; echo hello {name}; while :; do sleep 0.05; done", "{name}"};
  out.folder = folder.path("workers");
  out.grace = 60s;
  return out;
}

bool says(const scaling::process_options& of, const std::string& name, const std::string& words) {
  return wait_until([&] { return holds(contents(of.folder / (name + ".log")), words); }, 20s);
}

/// Kills what a test left, whoever started it.
struct reaper {
  explicit reaper(scaling::process_options options) : of{std::move(options)} {}
  ~reaper() {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{of.folder, ignored}) {
      const auto record = scaling::read_record(entry.path());
      if (record && record->process) static_cast<void>(scaling::signal_process(*record->process, SIGKILL));
    }
  }
  scaling::process_options of;
};

} // namespace

TEST_CASE("workers are started by name with a log each, drained by SIGTERM, and gone when they have ended") {
  const test::scratch folder;
  const reaper all{options_in(folder)};
  const auto fleet = take(scaling::open_processes(all.of));
  CHECK(take(fleet->observe()) == scaling::fleet_state{});
  take(fleet->set_target(3));
  for (const auto* name : {"worker-1", "worker-2", "worker-3"}) CHECK(says(all.of, name, std::string{"hello "} + name));
  CHECK(take(fleet->observe()).target == 3);
  take(fleet->retire({"worker-2", "worker-9"}));
  CHECK(take(fleet->observe()).target == 2);
  CHECK(says(all.of, "worker-2", "bye"));
  CHECK(wait_until([&] { return take(fleet->observe()).instances.size() == 2; }, 20s));
  CHECK_FALSE(std::filesystem::exists(all.of.folder / "worker-2.worker"));
  take(fleet->set_target(3)); // its name is free again
  CHECK(take(fleet->observe()).instances.at(1).id == "worker-2");
  CHECK(test::problems_of(*fleet).empty());
}

TEST_CASE("one that does not end in its grace is killed, and that is told") {
  const test::scratch folder;
  auto options = options_in(folder, true);
  options.grace = 200ms;
  const reaper all{options};
  const auto fleet = take(scaling::open_processes(all.of));
  take(fleet->set_target(1));
  CHECK(says(all.of, "worker-1", "hello"));
  take(fleet->retire({"worker-1"}));
  CHECK(take(fleet->observe()).instances.at(0).state == instance_state::deleting);
  CHECK(wait_until([&] { return take(fleet->observe()).instances.empty(); }, 20s));
  CHECK(holds(test::problems_of(*fleet), "worker-1: killed: it had not ended in its grace"));
}

TEST_CASE("a worker that ends by itself is told with its status and last words, and lowers the target") {
  const test::scratch folder;
  auto options = options_in(folder);
  options.command = {"sh", "-c", "echo starting {name}; echo 'no model' >&2; exit 78"};
  const auto fleet = take(scaling::open_processes(options));
  take(fleet->set_target(1));
  CHECK(wait_until([&] { return take(fleet->observe()).instances.empty(); }, 20s));
  CHECK(test::problems_of(*fleet) == "worker-1 has ended by itself (exit status 78): no model\n");
  CHECK(take(fleet->observe()).target == 0);
}

TEST_CASE("a worker that ends in order lowers the target, and is no trouble") {
  const test::scratch folder;
  auto options = options_in(folder);
  options.command = {"true", "{name}"};
  const auto fleet = take(scaling::open_processes(options));
  take(fleet->set_target(1));
  CHECK(wait_until([&] { return take(fleet->observe()).instances.empty(); }, 20s));
  CHECK(test::problems_of(*fleet).empty());
  CHECK(take(fleet->observe()).target == 0);
}

TEST_CASE("a controller that was started again finds the workers of the one before, and starts none twice") {
  const test::scratch folder;
  const reaper all{options_in(folder)};
  std::vector<scaling::instance> before;
  {
    const auto fleet = take(scaling::open_processes(all.of));
    take(fleet->set_target(3));
    for (const auto* name : {"worker-1", "worker-2", "worker-3"}) CHECK(says(all.of, name, "hello"));
    take(fleet->retire({"worker-3"}));
    before = take(fleet->observe()).instances;
  }
  CHECK(says(all.of, "worker-3", "bye"));
  const auto fleet = take(scaling::open_processes(all.of));
  CHECK(take(fleet->observe()).target == 2);
  take(fleet->set_target(2));
  CHECK(take(fleet->observe()).instances.size() == 2);
  CHECK(contents(all.of.folder / "worker-1.log") == "hello worker-1\n");
  // Two at a time would undo each other's work.
  const auto second = scaling::open_processes(all.of);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == core::errc::unavailable);
}

TEST_CASE("a controller that died between a worker's start and its record finds it all the same") {
  const test::scratch folder;
  const reaper all{options_in(folder)};
  std::string record;
  {
    const auto fleet = take(scaling::open_processes(all.of));
    take(fleet->set_target(2));
    CHECK(says(all.of, "worker-1", "hello"));
    CHECK(says(all.of, "worker-2", "hello"));
  }
  record = contents(all.of.folder / "worker-1.worker");
  std::ofstream{all.of.folder / "worker-1.worker", std::ios::trunc} << R"({"stopping_since_ms": 0})";
  std::ofstream{all.of.folder / "worker-2.worker", std::ios::trunc} << R"({"pid": 12)"; // cut off
  const auto fleet = take(scaling::open_processes(all.of));
  CHECK(take(fleet->observe()).instances.size() == 2);
  CHECK(contents(all.of.folder / "worker-1.worker") == record);
}

TEST_CASE("a number that means another process now is left alone") {
  const test::scratch folder;
  const auto options = options_in(folder);
  std::filesystem::create_directories(options.folder);
  // This very program, as if it had begun at another time, or in another boot.
  auto self = scaling::identify(::getpid());
  REQUIRE(self);
  CHECK(scaling::signal_process(*self, 0));
  auto other = *self;
  ++other.started;
  take(scaling::write_record(options.folder / "worker-1.worker", {other, 1}));
  other = *self;
  other.boot = "before";
  take(scaling::write_record(options.folder / "worker-2.worker", {other, 1}));
  CHECK_FALSE(scaling::signal_process(other, SIGKILL));
  const auto fleet = take(scaling::open_processes(options));
  CHECK(take(fleet->observe()).instances.empty());
  CHECK_FALSE(std::filesystem::exists(options.folder / "worker-1.worker"));
}

TEST_CASE("a program that there is not is an error, and leaves nothing") {
  const test::scratch folder;
  auto options = options_in(folder);
  options.command = {"/no/such/penstock", "{name}"};
  const auto fleet = take(scaling::open_processes(options));
  const auto started = fleet->set_target(2);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == core::errc::not_found);
  CHECK(holds(started.error().message, "/no/such/penstock"));
  CHECK(take(fleet->observe()) == scaling::fleet_state{});
  CHECK_FALSE(std::filesystem::exists(options.folder / "worker-1.worker"));
  options.most = 1;
  options.folder = folder.path("few");
  CHECK(take(scaling::open_processes(options))->set_target(2).error().code == core::errc::unavailable);
  options.command = {"penstock", "worker"};
  CHECK(holds(scaling::open_processes(options).error().message, "process.command: must hold {name}"));
}

namespace {

scaling::fleet_ptr exec_of(const std::string& script, std::chrono::milliseconds limit = 20s) {
  scaling::exec_options options;
  options.command = {"sh", "-c", script};
  options.limit = limit;
  return take(scaling::open_exec(options));
}

} // namespace

TEST_CASE("a command is asked in JSON on its standard input, and its answer is the fleet") {
  const test::scratch folder;
  const auto asked = folder.path("asked").string();
  const auto fleet = exec_of("cat >> " + asked + "; echo >> " + asked + R"(; echo '{"target": 3, "instances": [
    {"id": "vm-1", "worker": "w1", "state": "failed", "protected": true}, {"id": "vm-2"}]}')");
  CHECK(take(fleet->observe()) ==
        scaling::fleet_state{
            3, {{"vm-1", "w1", instance_state::failed, true}, {"vm-2", "", instance_state::running, false}}});
  take(fleet->set_target(5));
  take(fleet->retire({"vm-1", "a \"b\""}));
  take(fleet->retire({}));
  take(fleet->protect("vm-2", true));
  CHECK(contents(asked) == "{\"action\":\"observe\"}\n{\"action\":\"set_target\",\"instances\":5}\n"
                           "{\"action\":\"retire\",\"ids\":[\"vm-1\",\"a \\\"b\\\"\"]}\n"
                           "{\"action\":\"protect\",\"id\":\"vm-2\",\"on\":true}\n");
}

TEST_CASE("a command that fails is an error with its last words") {
  auto failed = exec_of("echo first >&2; echo 'no credit left' >&2; exit 3")->set_target(1);
  REQUIRE_FALSE(failed);
  CHECK(failed.error() == core::error{core::errc::unavailable, "set_target: sh: exit status 3: no credit left"});
  failed = exec_of("kill -9 $$")->retire({"a"});
  CHECK(failed.error().message == "retire: sh: signal 9");
  scaling::exec_options options;
  options.command = {"/no/such/tool"};
  CHECK(take(scaling::open_exec(options))->observe().error().code == core::errc::not_found);
}

TEST_CASE("a command that hangs is killed with what it started, and one that floods is cut off") {
  const test::scratch folder;
  const auto pid_file = folder.path("pid");
  const auto start = std::chrono::steady_clock::now();
  const auto hung = exec_of("sleep 1000 & echo $! > " + pid_file.string() + "; wait", 300ms)->observe();
  REQUIRE_FALSE(hung);
  CHECK(hung.error().code == core::errc::timeout);
  CHECK(std::chrono::steady_clock::now() - start < 20s);
  const auto pid = std::stoi(contents(pid_file));
  CHECK(wait_until([&] { return !scaling::identify(pid); }, 20s));
  const auto flood = exec_of("yes")->observe();
  REQUIRE_FALSE(flood);
  CHECK(flood.error().code == core::errc::too_large);
  // Many errors, of which the last counts; input that nobody reads; a child that keeps the pipe open.
  const auto loud = exec_of("seq 1 1000000 >&2; exit 1")->observe();
  CHECK(holds(loud.error().message, "exit status 1: 1000000"));
  take(exec_of("exec <&-; sleep 5 & exit 0")->set_target(1));
}

TEST_CASE("an answer that is no fleet is refused with what is wrong") {
  for (const auto* text :
       {"", "yes", "[]", R"({"target": 1})", R"({"target": "1", "instances": []})",
        R"({"target": -1, "instances": []})", R"({"target": 1, "instances": [{}]})",
        R"({"target": 1, "instances": [{"id": ""}]})", R"({"target": 1, "instances": [{"id": "a", "state": "gone"}]})",
        R"({"target": 1, "instances": [{"id": 7}]})", R"({"target": 1, "instances": []} more)"}) {
    INFO(text);
    const auto read = exec_of("echo '" + std::string{text} + "'")->observe();
    REQUIRE_FALSE(read);
    CHECK(read.error().code == core::errc::corrupt);
  }
}
