#include "actors/worker_gate.hpp"

#include <caf/actor_cast.hpp>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/actors/fixture.hpp"
#include "tests/unit/actors/link_end.hpp"

using namespace penstock;
using namespace penstock::actors;

namespace {

/// What the gate told its head: words, and the handles of the workers.
struct heard_of_gate {
  std::vector<std::string> words;
  std::vector<worker_actor> workers;
  std::vector<machine_seen> machines;
  std::vector<core::worker_figures> figures;
};

gate_outlet::behavior_type recording_head(gate_outlet::pointer, std::shared_ptr<heard_of_gate> to) {
  const auto say = [to](const std::string& what, core::worker_id worker) {
    to->words.push_back(fmt::format("{} {}", what, worker.value));
  };
  return {
      [to, say](const worker_joined& m) {
        say("joined " + m.name, m.worker);
        to->workers.push_back(m.handle);
      },
      [to, say](const machine_seen& m) {
        say(fmt::format("{} is {}", m.name, core::to_string(m.figures.phase)), m.machine);
        to->machines.push_back(m);
      },
      [say](const machine_gone& m) { say(m.lost ? "machine lost" : "machine gone", m.machine); },
      [to, say](const worker_alive& m) {
        say("alive", m.worker);
        if (m.figures) to->figures.push_back(*m.figures);
      },
      [say](const worker_leaving& m) { say("leaving", m.worker); },
      [say](const worker_gone& m) { say("gone", m.worker); },
      [say](const worker_returned& m) { say("returned", m.worker); },
      [say](const worker_credit& m) { say(fmt::format("credit {} of", m.segments), m.worker); },
      [to](const frame_outcomes& m) { to->words.push_back(fmt::format("outcomes {}", m.outcomes.size())); },
      [say](const segment_done& m) { say(fmt::format("done {} of", m.segment.number), m.worker); },
      [say](const segment_failed& m) { say(fmt::format("failed {} of", m.segment.number), m.worker); },
  };
}

/// A machine that dials the gate.
struct dialling {
  link_end end;
  std::unique_ptr<transport::hub> hub;
  transport::peer_id peer;

  explicit dialling(const std::string& address) {
    auto started = transport::hub::start({});
    REQUIRE(started);
    hub = std::move(*started);
    REQUIRE(hub->dial(address, end.events()));
    peer = end.next_event<link_up>().peer;
  }
  void send(const transport::message& m) const { REQUIRE(hub->send(peer, m) == transport::send_result::queued); }
  void hello(const std::string& name, const std::string& digest = "d1", const std::string& role = "worker",
             const transport::hello& before = {}) const {
    auto m = before;
    m.name = name;
    m.role = role;
    m.config_digest = digest;
    if (m.stages.empty()) m.stages = {"decode", "preprocess", "inference", "postprocess"};
    m.bulk_segments = 2;
    send(m);
  }
};

struct world : deterministic {
  metrics::registry metrics;
  link_end near;
  std::shared_ptr<transport::hub> hub;
  std::shared_ptr<heard_of_gate> heard = std::make_shared<heard_of_gate>();
  worker_gate_actor gate;
  std::string address;

  world() {
    auto started = transport::hub::start({});
    REQUIRE(started);
    hub = std::move(*started);
    address = *hub->listen("tcp://127.0.0.1:0", near.events(), false);
    worker_gate_config config;
    config.hub = hub;
    config.epoch = 7;
    config.roles = {"worker", "cpu", "gpu"};
    config.config_digest = "d1";
    config.topology = "pipeline: test";
    config.first_worker = 5;
    config.late_reports = metrics.dispatch().late_reports;
    gate = system.spawn(worker_gate, config, gate_outlet{system.spawn(recording_head, heard)});
    run();
  }
  ~world() {
    caf::anon_send_exit(gate, caf::exit_reason::kill);
    run();
  }

  /// Lets so many events of links reach the gate.
  void pass_on(int events = 1) {
    for (int i = 0; i < events; ++i) {
      auto event = near.next();
      if (auto* message = std::get_if<link_message>(&event)) caf::anon_send(gate, std::move(*message));
      if (auto* down = std::get_if<link_down>(&event)) caf::anon_send(gate, std::move(*down));
      run();
    }
  }
  std::vector<std::string> words() { return std::exchange(heard->words, {}); }
  using said = std::vector<std::string>;
};

} // namespace

TEST_CASE("who says hello becomes a worker, and what it sends reaches the head in order", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a");
  machine.send(transport::credit{2});
  machine.send(transport::heartbeat{});
  machine.send(transport::outcomes{{core::frame_outcome{}, core::frame_outcome{}}});
  machine.send(transport::segment_done{{{0}, 7, 3}});
  machine.send(transport::segment_failed{{{0}, 7, 4}, {core::errc::corrupt, "broken"}});
  w.pass_on(6);
  CHECK(w.words() ==
        world::said{"joined a 5", "credit 2 of 5", "alive 5", "outcomes 2", "done 3 of 5", "failed 4 of 5"});
  const auto welcome = machine.end.next_message<transport::welcome>();
  CHECK(welcome.worker.value == 5);
  CHECK(welcome.epoch == 7);
  CHECK(welcome.topology.empty());
}

TEST_CASE("a handle of a remote worker sends leases over its link in order", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a");
  w.pass_on();
  static_cast<void>(machine.end.next_message<transport::welcome>());
  const auto handle = w.heard->workers.at(0);
  const core::segment_id id{{1}, 7, 3};
  caf::anon_send(handle, open_segment{id, std::make_shared<core::codec_description>(), true});
  auto packet = std::make_shared<core::packet>();
  caf::anon_send(handle, segment_packets{id, {{4, false, packet}}});
  caf::anon_send(handle, close_segment{id});
  caf::anon_send(handle, revoke_segment{id});
  w.run();
  const auto open = machine.end.next_message<transport::open_segment>();
  CHECK(open.segment == id);
  CHECK(open.live);
  const auto packets = machine.end.next_message<transport::segment_packets>();
  REQUIRE(packets.packets.size() == 1);
  CHECK(packets.packets[0].ordinal == 4);
  CHECK_FALSE(packets.packets[0].wanted);
  CHECK(machine.end.next_message<transport::close_segment>().segment == id);
  CHECK(machine.end.next_message<transport::revoke_segment>().segment == id);
}

TEST_CASE("a role or a topology that do not fit are refused with the reason", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a", "d2");
  machine.hello("a", "d1", "spectator");
  w.pass_on(2);
  const auto digest = machine.end.next_message<transport::refused>();
  CHECK(digest.reason == "its topology has other stages (digest d2) than the head's (d1)");
  CHECK_FALSE(digest.rejoin);
  CHECK(machine.end.next_message<transport::refused>().reason ==
        "role \"spectator\" does not join here; those that do: worker, cpu, gpu");
  CHECK(w.words().empty());
}

TEST_CASE("who runs nothing is told the topology and does not join", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.send(transport::hello{});
  w.pass_on();
  CHECK(machine.end.next_message<transport::welcome>().topology == "pipeline: test");
  CHECK(w.words().empty());
}

TEST_CASE("a worker whose link ends is gone", "[actors][fleet]") {
  world w;
  {
    const dialling machine{w.address};
    machine.hello("a");
    w.pass_on();
  }
  w.pass_on();
  CHECK(w.words() == world::said{"joined a 5", "gone 5"});
}

TEST_CASE("a worker that is to drain is asked to leave, and nobody else", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a");
  w.pass_on();
  static_cast<void>(machine.end.next_message<transport::welcome>());
  caf::anon_send(w.gate, drain_worker_now{"nobody"});
  caf::anon_send(w.gate, drain_worker_now{"a"});
  w.run();
  CHECK(machine.end.next_message<transport::drain>().worker == "a");
}

TEST_CASE("a worker that the head gave up joins anew over the same link, as another", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a");
  w.pass_on();
  static_cast<void>(machine.end.next_message<transport::welcome>());
  caf::anon_send(w.gate, worker_forgotten{{5}});
  w.run();
  CHECK(machine.end.next_message<transport::refused>().rejoin);
  machine.send(transport::segment_done{{{0}, 7, 3}}); // it did not know yet
  machine.send(transport::outcomes{std::vector<core::frame_outcome>(4)});
  machine.hello("a");
  w.pass_on(3);
  CHECK(machine.end.next_message<transport::refused>().rejoin);
  CHECK(machine.end.next_message<transport::refused>().rejoin);
  CHECK(w.metrics.dispatch().late_reports.value() == 5);
  CHECK(machine.end.next_message<transport::welcome>().worker.value == 6);
  CHECK(w.words() == world::said{"joined a 5", "gone 5", "joined a 6"});
}

TEST_CASE("a process that says which worker it was has returned, if that was in this life of the head",
          "[actors][fleet]") {
  world w;
  transport::hello before;
  before.former = {5};
  before.former_epoch = 7;
  const dialling same{w.address};
  same.hello("a", "d1", "worker", before);
  w.pass_on();
  CHECK(w.words() == world::said{"returned 5", "joined a 5"});
  before.former_epoch = 6;
  const dialling other{w.address};
  other.hello("b", "d1", "worker", before);
  w.pass_on();
  CHECK(w.words() == world::said{"joined b 6"});
}

TEST_CASE("of two workers with one name the later one stays and the other is told why", "[actors][fleet]") {
  world w;
  dialling first{w.address};
  first.hello("a");
  w.pass_on();
  dialling second{w.address};
  second.hello("a");
  w.pass_on();
  static_cast<void>(first.end.next_message<transport::welcome>());
  const auto refusal = first.end.next_message<transport::refused>();
  CHECK_FALSE(refusal.rejoin);
  CHECK(refusal.reason == "another worker that is called \"a\" has joined");
  CHECK(w.words() == world::said{"joined a 5", "gone 5", "joined a 6"});
}

TEST_CASE("a worker that leaves is told that it has all of its leases behind the last of them", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a");
  machine.send(transport::drain{});
  w.pass_on(2);
  static_cast<void>(machine.end.next_message<transport::welcome>());
  CHECK(w.words() == world::said{"joined a 5", "leaving 5"});
  // The head leased something to it before it heard of that.
  const core::segment_id id{{1}, 7, 3};
  caf::anon_send(w.heard->workers.at(0), open_segment{id, std::make_shared<core::codec_description>(), false});
  caf::anon_send(w.gate, leases_ended{{5}});
  w.run();
  CHECK(machine.end.next_message<transport::open_segment>().segment == id);
  static_cast<void>(machine.end.next_message<transport::drain>());
  machine.send(transport::bye{"drained"});
  w.pass_on();
  CHECK(w.words() == world::said{"gone 5"});
}

TEST_CASE("who asks for a worker to be drained hears how it left, and of names that there are not", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a");
  w.pass_on();
  static_cast<void>(machine.end.next_message<transport::welcome>());
  dialling operator_{w.address};
  operator_.send(transport::hello{});
  operator_.send(transport::drain{"b"});
  operator_.send(transport::drain{"a"});
  w.pass_on(3);
  static_cast<void>(operator_.end.next_message<transport::welcome>());
  CHECK(operator_.end.next_message<transport::refused>().reason == "no worker is called \"b\"; there are: a");
  CHECK(machine.end.next_message<transport::drain>().worker == "a");
  SECTION("in order") {
    machine.send(transport::bye{"drained"});
    w.pass_on();
    CHECK(operator_.end.next_message<transport::bye>().reason == "drained");
  }
  SECTION("or given up") {
    caf::anon_send(w.gate, worker_forgotten{{5}});
    w.run();
    CHECK(operator_.end.next_message<transport::bye>().reason == "it was silent for too long");
  }
}

TEST_CASE("a worker that does not take what it is sent loses its place and may come again", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a");
  w.pass_on();
  static_cast<void>(machine.end.next_message<transport::welcome>());
  caf::anon_send(w.gate, worker_gone{{5}, "it does not take what it is sent"});
  w.run();
  CHECK(w.words() == world::said{"joined a 5", "gone 5"});
  REQUIRE(w.hub->listen("tcp://127.0.0.1:0", w.near.events(), false)); // behind the order to close
  machine.send(transport::heartbeat{});
  CHECK(machine.end.next_message<transport::refused>().rejoin);
  machine.hello("a");
  w.pass_on();
  CHECK(machine.end.next_message<transport::welcome>().worker.value == 6);
}

TEST_CASE("what a worker has done reaches the head with its heartbeats", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  machine.hello("a");
  const core::worker_figures figures{core::worker_phase::ready,
                                     {{core::stage::decode, 12, std::chrono::seconds{3}, core::resource::cpu, 4}}};
  machine.send(transport::heartbeat{figures});
  w.pass_on(2);
  REQUIRE(w.heard->figures.size() == 1);
  CHECK(w.heard->figures[0] == figures);
}

TEST_CASE("a worker that loads its model is known, has no leases, and joins when it is ready", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  transport::hello announced;
  announced.warming = true;
  announced.metrics = "10.0.0.9:9100";
  machine.hello("a", "d1", "worker", announced);
  w.pass_on();
  CHECK(machine.end.next_message<transport::welcome>().lease_timeout == std::chrono::seconds{3});
  CHECK(w.words() == world::said{"a is warming 5"});
  CHECK(w.heard->machines.at(0).metrics == "10.0.0.9:9100");
  CHECK(w.heard->machines.at(0).role == "worker");
  machine.send(transport::heartbeat{core::worker_figures{core::worker_phase::warming, {}}});
  w.pass_on();
  CHECK(w.words() == world::said{"a is warming 5"});
  SECTION("it becomes ready") {
    machine.hello("a");
    w.pass_on();
    CHECK(machine.end.next_message<transport::welcome>().worker.value == 6);
    CHECK(w.words() == world::said{"machine gone 5", "joined a 6"});
  }
  SECTION("its process ends") {
    machine.hub.reset();
    w.pass_on();
    CHECK(w.words() == world::said{"machine gone 5"});
  }
  SECTION("it is told to leave") {
    dialling operator_{w.address};
    operator_.send(transport::hello{});
    operator_.send(transport::drain{"a"});
    w.pass_on(2);
    static_cast<void>(operator_.end.next_message<transport::welcome>());
    CHECK(machine.end.next_message<transport::drain>().worker == "a");
    machine.send(transport::bye{"not joined"});
    w.pass_on();
    CHECK(operator_.end.next_message<transport::bye>().reason == "not joined");
    CHECK(w.words() == world::said{"machine gone 5"});
  }
  SECTION("another one has its name") {
    dialling other{w.address};
    other.hello("a");
    w.pass_on();
    CHECK_FALSE(machine.end.next_message<transport::refused>().rejoin);
    CHECK(w.words() == world::said{"machine gone 5", "joined a 6"});
  }
}

TEST_CASE("a worker that loads its model must fit as all others", "[actors][fleet]") {
  world w;
  dialling machine{w.address};
  transport::hello announced;
  announced.warming = true;
  machine.hello("a", "d2", "worker", announced);
  w.pass_on();
  CHECK_FALSE(machine.end.next_message<transport::refused>().rejoin);
  CHECK(w.words().empty());
}

TEST_CASE("machines behind a link tell what they have done, and so do those that wait for them", "[actors][fleet]") {
  world w;
  transport::hello of_cpu;
  of_cpu.stages = {"decode", "preprocess"};
  dialling cpu{w.address};
  cpu.hello("c", "d1", "cpu", of_cpu);
  cpu.send(transport::heartbeat{core::worker_figures{}});
  w.pass_on(2);
  CHECK(w.words() == world::said{"c is ready 5"});
  transport::hello of_gpu;
  of_gpu.stages = {"inference", "postprocess"};
  of_gpu.listen = "tcp://127.0.0.1:1";
  {
    dialling gpu{w.address};
    gpu.hello("g", "d1", "gpu", of_gpu);
    const core::worker_figures figures{
        core::worker_phase::draining,
        {{core::stage::inference, 9, std::chrono::seconds{1}, core::resource::device, 3}}};
    gpu.send(transport::heartbeat{figures});
    w.pass_on(2);
    CHECK(w.words() == world::said{"g is ready 6", "joined c 5", "g is draining 6"});
    CHECK(w.heard->machines.back().figures == figures);
    CHECK(w.heard->machines.back().role == "gpu");
  }
  w.pass_on();
  CHECK(w.words() == world::said{"machine lost 6"});
}
